import fc from 'fast-check';
import t from 'tap';
import {
  busyFault,
  choose,
  isMatch,
  ownerName,
  ownerWords,
  requireMatched,
} from '../../../../../lab/machine/hardware/labgrid/choose.ts';
import { coordinatorAddress } from '../../../../../lab/machine/hardware/labgrid/coordinator.ts';
import type { Place, Resource } from '../../../../../lab/machine/hardware/labgrid/messages.ts';
import { boardOf } from '../../../../../lab/machine/hardware/labgrid/resources.ts';
import { resource } from './resource.ts';

const place = (name: string, more: Partial<Place> = {}): Place => ({
  ...{ name, aliases: [], tags: {}, matches: [], acquiredResources: [] },
  ...more,
});

const places = [
  place('pi4-1', { tags: { board: 'raspi4', site: 'lab1' }, acquired: 'desk/anna' }),
  place('pi4-2', { tags: { board: 'raspi4' }, aliases: ['spare'] }),
  place('pi5-1', { tags: { board: 'raspi5' }, reservation: 'TOKEN' }),
];
const reservations = [{ owner: 'ci7/runner+oakestra-lab-20261130T1-abc', token: 'TOKEN', state: 1, allocations: {} }];

t.test('a place is chosen by its name, an alias or tags', async (t) => {
  t.match(choose({ place: 'pi4-1' }, places), { filter: { name: 'pi4-1' }, candidates: [{ name: 'pi4-1' }] });
  t.match(choose({ place: 'spare' }, places), { filter: { name: 'pi4-2' } });
  t.match(choose({ tags: { board: 'raspi4' } }, places).candidates, [{ name: 'pi4-1' }, { name: 'pi4-2' }]);
  t.throws(() => choose({ place: 'pi4-3' }, places), {
    fault: 'lab',
    message: "the labgrid coordinator has no place 'pi4-3' (did you mean 'pi4-1'? there are pi4-1, pi4-2, pi5-1)",
  });
  t.throws(() => choose({ tags: { board: 'raspi4', site: 'lab2' } }, places), {
    message: /no place with board=raspi4 site=lab2: there are pi4-1 \(board=raspi4 site=lab1\), pi4-2/,
    next: ['labgrid-client -p PLACE set-tags board=raspi4 site=lab2'],
  });
});

t.test('who has a busy place is said', async (t) => {
  const busy = (one: Place) => busyFault({ place: one.name }, [one], reservations);
  const [first, , third] = places;
  if (!first || !third) throw new Error('no places');
  t.match(busy(first), { fault: 'lab', message: 'place pi4-1 is in use: pi4-1 is acquired by anna on desk' });
  t.match(busy(third).message, 'pi5-1 is reserved by runner on ci7 (run 20261130T1-abc of the lab)');
  const owner = ownerName('ci7', 'runner', '20261130T1-abc');
  t.match(busy({ ...first, acquired: owner }).next, [
    /"wait": SECONDS/,
    `if that run has ended: labgrid-client -p pi4-1 release-from ${owner}`,
  ]);
});

t.test("an owner's name has one slash, as labgrid's clients need it, and says which run it is", async () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (host, user) => {
      const name = ownerName(host, user, '20261130T1-abc');
      return name.split('/').length === 2 && ownerWords(name).includes('20261130T1-abc');
    }),
    { seed: 26 },
  );
});

t.test("patterns mean what they mean in Python's fnmatch", async (t) => {
  const one = resource('NetworkService', {});
  const cases = [
    ['rack1/pi4-1/NetworkService', true],
    ['rack?/*/*', true],
    ['rack1/pi4-1/*/NetworkService', true],
    ['rack1/pi4-1/*/console', false],
    ['rack/pi4-1/*', false],
    ['rack1/pi4.1/*', false],
    ['RACK1/*/*', false],
  ] as const;
  for (const [pattern, expected] of cases) {
    const [exporter = '', group = '', cls = '', name] = pattern.split('/');
    t.equal(isMatch({ exporter, group, cls, ...(name === undefined ? {} : { name }) }, one), expected, pattern);
  }
});

t.test('a resource that nobody exports is named, with its exporter', async (t) => {
  const there = [resource('NetworkService', {})];
  const wants = (exporter: string, cls: string) => place('pi4-1', { matches: [{ exporter, group: 'pi4-1', cls }] });
  requireMatched(wants('rack1', '*'), there);
  t.throws(() => requireMatched(wants('rack2', '*'), there), {
    fault: 'lab',
    message: 'place pi4-1 needs a resource rack2/pi4-1/*: exporter rack2 is not connected',
    next: [/^start it on rack2: labgrid-exporter/, /del-match 'rack2\/pi4-1\/\*'/],
  });
  t.throws(() => requireMatched(wants('rack1', 'NetworkPowerPort'), there), {
    message: /no exporter that is connected/,
  });
});

t.test('a board is read off the resources of its place', async (t) => {
  const notes: string[] = [];
  const read = (resources: readonly Resource[], known = {}) =>
    boardOf(place('pi4-1'), resources, known, (text) => notes.push(text));
  const service = resource('NetworkService', { address: '10.0.0.4', username: 'root', port: 2222 });
  const serial = resource('NetworkSerialPort', { host: 'rack1', port: 4001, speed: 57_600 });
  const power = resource('NetworkPowerPort', { model: 'rest', host: 'http://pdu/{index}', index: '3' });
  t.strictSame(read([power, serial, service]), {
    ...{ ssh: 'root@10.0.0.4', port: 2222, power },
    serial: { host: 'rack1', port: 4001, protocol: 'rfc2217', speed: 57_600 },
  });
  t.match(read([resource('NetworkService', { address: 'fd00::4', username: 'pi' })]), { ssh: 'pi@[fd00::4]' });
  t.strictSame(
    read([serial, power], { ssh: 'pi4', serial: '/dev/ttyUSB0', powerCycle: ['x'] }),
    {},
    'what is known is not asked for',
  );

  t.throws(() => read([serial]), {
    fault: 'lab',
    message: 'place pi4-1 has no resource of class NetworkService, which says how ssh reaches the board',
    next: ["export one and add it: labgrid-client -p pi4-1 add-match 'EXPORTER/GROUP/NetworkService'", /"ssh"/],
  });
  const gone = { avail: false, extra: { broken: { stringValue: 'start failed' } } };
  t.throws(() => read([service, resource('NetworkSerialPort', {}, gone)]), {
    message: 'resource rack1/pi4-1/NetworkSerialPort/NetworkSerialPort of place pi4-1 is not available: start failed',
  });
  t.throws(() => read([service, resource('NetworkSerialPort', { host: 'rack1' })]), {
    message: /has no host and port/,
    next: [/ser2net/],
  });
  t.throws(() => read([service, service]), { message: /several resources of class NetworkService/ });
  const forwarded = { extra: { proxy_required: { boolValue: true } } };
  t.throws(() => read([resource('NetworkService', { address: 'x', username: 'root' }, forwarded)]), {
    message: /only by way of its exporter/,
    next: [/ProxyJump/],
  });
  t.throws(() => read([resource('NetworkService', { address: '-oProxyCommand=x', username: 'root' })]), {
    message: /no usable address/,
  });
  t.notOk('serial' in read([service, resource('NetworkSerialPort', { host: 'x', port: 1 }, forwarded)]));
  t.match(notes.at(-1), /only by way of its exporter/);
});

t.test("the coordinator is looked for where labgrid's own client does", async (t) => {
  delete process.env['LG_COORDINATOR'];
  t.equal(coordinatorAddress(), '127.0.0.1:20408');
  process.env['LG_COORDINATOR'] = 'farm.example';
  t.equal(coordinatorAddress(), 'farm.example:20408');
  t.equal(coordinatorAddress('other:1'), 'other:1');
  t.equal(coordinatorAddress('[::1]'), '[::1]:20408');
  t.equal(coordinatorAddress('[::1]:1'), '[::1]:1');
});
