import fs from 'node:fs/promises';
import path from 'node:path';
import t, { type Test } from 'tap';
import { type AcquireOptions, acquirePlace } from '../../../../../lab/machine/hardware/labgrid/acquire.ts';
import { giveBackLeftovers } from '../../../../../lab/machine/hardware/labgrid/leftovers.ts';
import { powerPort } from '../../../../../lab/machine/hardware/labgrid/power.ts';
import { messageOf } from '../../../../../lab/system/errors.ts';
import { openRun, type RunFolder } from '../../../../../lab/system/runs.ts';
import { until } from '../../../../../lab/system/wait.ts';
import { startFarm } from './farm.ts';
import { labgrid } from './labgrid.ts';
import { startSwitch } from './switch.ts';

process.env['XDG_CACHE_HOME'] = t.testdir();
const soon = () => AbortSignal.timeout(60_000);

t.test('places are had and given back', { skip: typeof labgrid === 'string' && labgrid }, async (t) => {
  if (typeof labgrid === 'string') return;
  const { python } = labgrid;
  const service = { NetworkService: { address: '127.0.0.1', username: 'root' } };
  using pdu = await startSwitch();
  const power = { NetworkPowerPort: { model: 'tinycontrol', host: `http://${pdu.host}/`, index: '3' } };
  await using farm = await startFarm(
    labgrid,
    path.join(t.testdir(), 'farm'),
    { one: service, two: { ...service, ...power } },
    {
      ...{ one: { group: 'one', tags: { board: 'raspi4' } }, two: { group: 'two', tags: { board: 'raspi4' } } },
      ...{ broken: { group: 'nothing' }, empty: {} },
    },
  );
  const { client, coordinator } = farm;
  const ask = (run: RunFolder, more: Partial<AcquireOptions>) => {
    const said: string[] = [];
    const lost = Promise.withResolvers<Error>();
    const options = { wanted: { place: 'one' }, coordinator, wait: 0, run, signal: new AbortController().signal };
    const place = acquirePlace({
      ...options,
      say: (text) => said.push(text),
      note: (text) => said.push(text),
      lost: lost.resolve,
      ...more,
    });
    // whoever asks looks at it later
    place.catch(() => {});
    return { place, said, lost: lost.promise };
  };
  const nothing = async (t: Test) => {
    t.strictSame(await farm.acquired(), []);
    t.strictSame(await farm.reservations(), []);
  };

  await t.test('by name and by tags, each for one run only', async (t) => {
    await using first = await openRun('first');
    await using second = await openRun('second');
    {
      await using one = await ask(first, { wanted: { tags: { board: 'raspi4' } } }).place;
      t.match(one, {
        owner: new RegExp(`^[^/]+/[^/]+${first.id}$`),
        resources: { length: /^[12]$/ },
      });
      await using other = await ask(second, { wanted: { tags: { board: 'raspi4' } } }).place;
      t.strictSame([one.place.name, other.place.name].toSorted(), ['one', 'two']);
      t.equal((await farm.acquired()).length, 2);
      await using third = await openRun('third');
      await t.rejects(ask(third, { wanted: { tags: { board: 'raspi4' } } }).place, {
        fault: 'lab',
        message: /^a place with board=raspi4 is in use: one is acquired by .* on .* \(run .*\), two is acquired by/,
      });
    }
    await nothing(t);
  });

  await t.test('of one that somebody has it is said who, at once or after the time to wait', async (t) => {
    await client('-p', 'one', 'acquire');
    await using run = await openRun('busy');
    const busy = (waited: string) => ({
      fault: 'lab',
      message: `place one is in use${waited}: one is acquired by anna on desk`,
    });
    await t.rejects(ask(run, {}).place, busy(''));
    await t.rejects(ask(run, { wait: 1 }).place, busy(' after 1 s of waiting'));
    t.strictSame(await farm.reservations(), [], 'nobody waits any more');

    const waiting = ask(run, { wait: 120 });
    await until(() => waiting.said.length > 0 || undefined, soon());
    t.match(waiting.said, [/^waiting: place one is in use: one is acquired by anna on desk/]);
    await client('-p', 'one', 'release');
    await (await waiting.place)[Symbol.asyncDispose]();
    await nothing(t);
  });

  await t.test('an interruption gives back what there is', async (t) => {
    await client('-p', 'one', 'acquire');
    await using run = await openRun('interrupted');
    const stop = new AbortController();
    const waiting = ask(run, { wait: 120, signal: stop.signal });
    await until(() => waiting.said.length > 0 || undefined, soon());
    stop.abort(new Error('interrupted'));
    await t.rejects(waiting.place, { message: 'interrupted' });
    t.strictSame(await farm.reservations(), []);
    await client('-p', 'one', 'release');
    await nothing(t);
  });

  await t.test('what cannot be had is said with what to do', async (t) => {
    await using run = await openRun('impossible');
    await t.rejects(ask(run, { wanted: { place: 'three' } }).place, { fault: 'lab', message: /no place 'three'/ });
    await t.rejects(ask(run, { wanted: { place: 'broken' } }).place, {
      message: 'place broken needs a resource rack1/nothing/*: no exporter that is connected exports one',
    });
    await nothing(t);
    await t.rejects(ask(run, { coordinator: '127.0.0.1:1' }).place, {
      fault: 'lab',
      message: /^no labgrid coordinator answers at 127\.0\.0\.1:1: .*ECONNREFUSED/,
      next: ['start it there: labgrid-coordinator', /LG_COORDINATOR/],
    });
  });

  await t.test("labgrid's own client switches for the run that has the place", async (t) => {
    const folder = t.testdir();
    await fs.writeFile(
      path.join(folder, 'labgrid-client'),
      `#!/bin/sh\nexec '${python}' -m labgrid.remote.client "$@"\n`,
      { mode: 0o755 },
    );
    await using run = await openRun('switching');
    await using two = await ask(run, { wanted: { place: 'two' } }).place;
    const [resource] = two.resources.filter(({ cls }) => cls === 'NetworkPowerPort');
    if (!resource) throw new Error('no power port');
    const before = process.env['PATH'];
    process.env['PATH'] = `${folder}:${before}`;
    const port = powerPort(resource, { ...two, place: two.place.name }, (note) => t.fail(note));
    process.env['PATH'] = before;
    await port?.cycle(soon());
    t.strictSame(pdu.asked, ['GET /outs.cgi?out3=0', 'GET /outs.cgi?out3=1']);
  });

  await t.test('a place that is taken away is lost', async (t) => {
    await using run = await openRun('robbed');
    const { place, lost } = ask(run, {});
    await using held = await place;
    await client('-p', 'one', 'release', '--kick');
    await client('cancel-reservation', held.place.reservation ?? '');
    t.match(await lost, { fault: 'lab', message: 'place one was taken away from this run: somebody released it' });
    await client('-p', 'one', 'acquire');
  });
  t.strictSame(await farm.acquired(), ['one desk/anna'], 'what the next one has is not given back');
  await client('-p', 'one', 'release');

  await t.test('an exporter that is away is said', async (t) => {
    await farm.stopExporter();
    await using run = await openRun('away');
    await until(async () => {
      const outcome = await ask(run, {}).place.then(async (place) => place[Symbol.asyncDispose](), messageOf);
      return outcome === 'place one needs a resource rack1/one/*: exporter rack1 is not connected' || undefined;
    }, soon());
    await nothing(t);
  });

  await t.test('of a coordinator that went away it is known what it has to be asked for later', async (t) => {
    let said: readonly string[] = [];
    {
      await using run = await openRun('alone');
      const asked = ask(run, { wanted: { place: 'empty' } });
      await using _ = await asked.place;
      said = asked.said;
      await farm.stopCoordinator();
      await until(() => said.length > 0 || undefined, soon());
    }
    t.match(said, [/it may give place empty to somebody else$/, /was not given back: no labgrid coordinator answers/]);
    const left = [{ coordinator, places: [], problem: /^no labgrid coordinator answers/ }];
    t.match(await giveBackLeftovers(), left);
    t.match(await giveBackLeftovers(), left, 'as long as nobody answers');
  });
});
