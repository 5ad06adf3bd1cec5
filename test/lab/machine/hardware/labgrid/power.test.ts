import t from 'tap';
import { connectTo } from '../../../../../lab/machine/hardware/connect.ts';
import type { Resource } from '../../../../../lab/machine/hardware/labgrid/messages.ts';
import { powerPort } from '../../../../../lab/machine/hardware/labgrid/power.ts';
import { findProgram } from '../../../../../lab/system/programs.ts';
import { openRun } from '../../../../../lab/system/runs.ts';
import { until } from '../../../../../lab/system/wait.ts';
import { resource } from './resource.ts';
import { startSwitch } from './switch.ts';

process.env['XDG_CONFIG_HOME'] = t.testdir();
const owner = { place: 'pi4-1', coordinator: '127.0.0.1:20408', owner: 'desk/anna+oakestra-lab-1' };
const hasClient = findProgram('labgrid-client') !== undefined;
const never = new AbortController().signal;

const portOf = (one: Resource) => {
  const port = powerPort(one, owner, (note) => t.fail(note));
  if (port === undefined) throw new Error('no port');
  return port;
};

t.test('switches that take one request are switched off and on', async (t) => {
  using pdu = await startSwitch();
  const cases: readonly (readonly [model: string, host: string, asked: readonly string[]])[] = [
    ['rest', `http://${pdu.host}/relay/{index}/value`, ['PUT /relay/3/value 0', 'PUT /relay/3/value 1']],
    ['simplerest', `http://${pdu.host}/{index}/{value}`, ['GET /3/0', 'GET /3/1']],
    ['shelly_gen1', `http://${pdu.host}`, ['POST /relay/3?turn=off', 'POST /relay/3?turn=on']],
    [
      'shelly_gen2',
      `http://a:b@${pdu.host}`,
      [false, true].map((on) => `POST /rpc Basic YTpi {"id":1,"method":"Switch.Set","params":{"id":3,"on":${on}}}`),
    ],
  ];
  const ports = cases.map(([model, host]) => portOf(resource('NetworkPowerPort', { model, host, index: 3 })));
  await Promise.all(ports.map(({ cycle }) => cycle(never)));
  for (const [model, , asked] of cases)
    t.strictSame(
      pdu.asked.filter((line) => asked.includes(line)),
      asked,
      `${model}: ${pdu.asked}`,
    );
});

t.test('PDUDaemon is asked for a reboot', async (t) => {
  using daemon = await startSwitch();
  await portOf(resource('PDUDaemonPort', { host: daemon.host, pdu: 'apc 1', index: 4 })).cycle(never);
  t.strictSame(daemon.asked, ['GET /power/control/reboot?hostname=apc+1&port=4&delay=5']);
});

t.test('a switch that refuses is named, without its password; an interrupted one is switched on again', async (t) => {
  using broken = await startSwitch(500);
  const host = `http://admin:secret@${broken.host}/{index}`;
  await t.rejects(portOf(resource('NetworkPowerPort', { model: 'rest', host, index: 3 })).cycle(never), {
    fault: 'lab',
    message: `power switch rack1/pi4-1/NetworkPowerPort/NetworkPowerPort refuses to switch: ${broken.host} answers 500`,
  });
  using pdu = await startSwitch();
  const port = portOf(resource('NetworkPowerPort', { model: 'rest', host: `http://${pdu.host}/`, index: 3 }));
  const stop = new AbortController();
  const cycling = port.cycle(stop.signal);
  await until(() => pdu.asked.length > 0 || undefined, AbortSignal.timeout(60_000));
  stop.abort();
  await t.rejects(cycling);
  t.strictSame(pdu.asked, ['PUT / 0', 'PUT / 1']);
});

t.test("every other switch needs labgrid's own client", { skip: hasClient && 'it is installed' }, async (t) => {
  const notes: string[] = [];
  const usb = resource('NetworkUSBPowerPort', { host: 'rack1', index: 2 });
  t.equal(
    powerPort(usb, owner, (note) => notes.push(note)),
    undefined,
  );
  t.match(notes, [/rack1\/pi4-1\/NetworkUSBPowerPort\/NetworkUSBPowerPort cannot be used: it needs labgrid-client/]);
});

t.test('the power of a board that does not answer is cycled by its place', async (t) => {
  await using run = await openRun('a test');
  const power = Promise.withResolvers<void>();
  const stop = new AbortController();
  const powerCycle = { name: 'x', cycle: async () => power.resolve() };
  const definition = { ssh: 'root@127.0.0.1', port: 1, powerCycle };
  const connecting = connectTo('pi4', definition, run, () => {}, stop.signal);
  connecting.catch(() => {});
  await power.promise;
  stop.abort(new Error('enough'));
  await t.rejects(connecting, { message: 'enough' });
});
