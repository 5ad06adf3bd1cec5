import fs from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import type { MachineKind } from '../../../lab/machine/kind.ts';
import { Results } from '../../../lab/report/model/results.ts';
import type { RunOptions } from '../../../lab/scenario/options.ts';
import { allOrFirst } from '../../../lab/scenario/run/boards.ts';
import { runScenario } from '../../../lab/scenario/run/run.ts';
import { type Scenario, scenario } from '../../../lab/scenario/scenario.ts';
import { listRuns, processesOf } from '../../../lab/system/runs.ts';
import { parseJson } from '../../../worker/contract/check.ts';
import { privateCache } from '../../support/files/private.ts';
import { type WorkingBoard, workingBoard } from './working-board.ts';

/** Runs a scenario on boards that are stand-ins. */
const runOn = async (
  machines: number | undefined,
  run: (lab: Parameters<Scenario['run']>[0], boards: readonly WorkingBoard[]) => Promise<void>,
  more: Partial<MachineKind> = {},
  signal: AbortSignal = new AbortController().signal,
  onEvent: RunOptions['onEvent'] = () => {},
) => {
  const boards: WorkingBoard[] = [];
  const kind: MachineKind = {
    ...{ name: 'nowhere', description: 'stand-ins', architecture: 'aarch64', fidelity: 'emulated' },
    capabilities: new Set(['bridge']),
    requires: [],
    prepare: async () => ({
      unlocked: [],
      inputs: [],
      start: async (_run, _signal, _note, port) => {
        const board = workingBoard(port);
        boards.push(board);
        return board;
      },
    }),
    ...more,
  };
  const outcome = await runScenario({
    ...{ name: 'several', command: ['scenario', 'several'], kind, machine: {}, keep: false },
    scenario: scenario({
      ...{ description: '?', requires: ['bridge'], network: { topology: 'bridged', subnet: '10.10.0.0' } },
      ...(machines === undefined ? {} : { machines }),
      run: (lab) => run(lab, boards),
    }),
    app: { name: 'x.wasm', bytes: new Uint8Array(), sha256: '0'.repeat(64) },
    load: { connections: 1, duration: 1 },
    signal,
    onEvent,
  });
  parseJson(Results, JSON.stringify(outcome.results), 'the results');
  return { ...outcome, boards };
};

t.test('steps, services and logs of two boards say on which of them they are', async (t) => {
  await using _ = await privateCache();
  const { results, files, boards } = await runOn(
    2,
    async ({ step, board: one, boardNumber, lab, deploy, undeploy, cluster }) => {
      const two = boardNumber(2);
      t.throws(() => boardNumber(3), /no board number 3: the scenario says it takes 2/);
      t.strictSame([one.address, two.address], ['192.168.77.11', '192.168.77.12']);
      const a = await step('deploy', lab, () => deploy({ service: 'a.b.c.one' }));
      const b = await step('deploy', lab, () => deploy({ service: 'a.b.c.two', on: two }));
      t.strictSame([a.address.v4, b.address.v4], ['10.10.0.2', '10.10.0.66']);
      t.match([a.serviceAddress.v4, b.instanceAddress.v6], [/^10\.30\./, /^fdff::/]);
      t.not(a.serviceAddress.v4, b.serviceAddress.v4);
      await step('look', two, async ({ $ }) => void (await $`true`));
      await step('look', b.instance, async ({ $ }) => void (await $`true`));
      await two.link({ delayMs: 5, loss: 0.01 });
      t.equal((await cluster.registered(AbortSignal.timeout(60_000), 'board-2')).host, 'board-2');
      await undeploy(a);
      await undeploy(b);
    },
  );
  t.equal(results.verdict, 'passed', results.run.failure?.message ?? '');
  t.match(results.machine, { name: 'nowhere', boards: 2 });
  t.strictSame(
    results.steps.map(({ name, place, board }) => [name, place, board]).toSorted(),
    [
      ['prepare the machine', 'lab', undefined],
      ['boot board-1', 'board', 'board-1'],
      ['boot board-2', 'board', 'board-2'],
      ['start the worker on board-1', 'board', 'board-1'],
      ['start the worker on board-2', 'board', 'board-2'],
      ['deploy', 'lab', undefined],
      ['deploy (2)', 'lab', undefined],
      ['look', 'board', 'board-2'],
      ['look (2)', 'instance', 'board-2'],
      ["check the worker's messages", 'lab', undefined],
    ].toSorted(),
  );
  t.match(results.run.boards, [
    { name: 'board-1', address: '192.168.77.11', topology: { gateway: '10.10.0.1', instances: [{ task: /one/ }] } },
    { name: 'board-2', address: '192.168.77.12', topology: { gateway: '10.10.0.65', instances: [{ task: /two/ }] } },
  ]);
  t.equal(results.run.topology, undefined);
  const named = files.map(({ name }) => name);
  for (const name of ['board-1-console.log', 'board-2-console.log', 'transcript.log']) t.ok(named.includes(name), name);
  t.match(
    files.find(({ name }) => name === 'transcript.log')?.content,
    /^board-2\$ true[\s\S]*^instance on board-2\$ true/m,
  );
  const nets = boards.map(({ files: written }) => written.get('/etc/oakestra/netmanager/netcfg.json') ?? '');
  t.match(
    nets.map((text) => JSON.parse(text)),
    [{ NodePublicAddress: '192.168.77.11' }, { NodePublicAddress: '192.168.77.12' }],
  );
  t.strictSame(await processesOf(results.run.id), [], 'the switch has ended');
  t.strictSame(await listRuns(), []);
});

t.test('one board is as it was: no name, no number, no address of a segment', async (t) => {
  await using _ = await privateCache();
  const { results, files, boards } = await runOn(undefined, async ({ step, board, lab, deploy, undeploy }) => {
    const service = await step('deploy', lab, () => deploy());
    await step('look', board, async ({ $ }) => void (await $`true`));
    await step('undeploy', lab, () => undeploy(service));
  });
  t.equal(results.verdict, 'passed', results.run.failure?.message ?? '');
  t.notOk('boards' in results.machine || 'boards' in results.run);
  t.ok(results.steps.every((step) => !('board' in step)));
  t.match(results.run.topology, { gateway: '10.10.0.1', instances: [{ address: '10.10.0.2' }] });
  t.ok(files.some(({ name }) => name === 'console.log'));
  t.match(boards[0]?.files.get('/etc/oakestra/netmanager/netcfg.json'), /"NodePublicAddress": "0.0.0.0"/);
});

t.test('a board that is lost is named and nobody else’s fault; one that was switched off is not lost', async (t) => {
  await using _ = await privateCache();
  const lost = await runOn(2, async ({ step, boardNumber }, [, second]) => {
    await step('work', boardNumber(2), async ({ $ }) => {
      second?.crash();
      await $`true`;
    });
  });
  t.equal(lost.results.verdict, 'error');
  t.match(lost.results.run.failure, { step: 'work', message: /SIGKILL/, log: { name: 'board-2-console.log' } });
  const off = await runOn(2, async ({ step, board, boardNumber, lab, deploy }) => {
    const two = boardNumber(2);
    await step('deploy', lab, () => deploy({ on: two }));
    await step('switch it off', lab, () => two.powerOff());
    await step('the other one goes on', board, async ({ $ }) => void (await $`true`));
  });
  t.equal(off.results.verdict, 'passed', off.results.run.failure?.message ?? '');
  t.ok(
    off.files.some(({ name }) => name === 'board-2-console.log'),
    'what it had written is in the report',
  );
});

t.test('a failure says on which board to look further', async (t) => {
  await using _ = await privateCache();
  const { results, files } = await runOn(2, async ({ step, boardNumber }) => {
    await step('expect', boardNumber(2), async ({ expect }) => expect.equal('sum', 1, 2));
  });
  t.equal(results.verdict, 'failed');
  t.match(results.run.failure, { log: { name: 'board-2-console.log' }, packets: { file: 'board-2-packets.pcap' } });
  t.ok(files.some(({ name }) => name === 'board-1-packets.pcap'));
});

t.test('a kind of which no two can be joined refuses before anything is prepared, and says why', async (t) => {
  await using _ = await privateCache();
  const alone = { alone: 'it has no tunnel', prepare: () => t.fail('it was prepared') as never };
  await t.rejects(
    runOn(2, async () => {}, alone),
    { fault: 'incomplete', message: 'several cannot run on nowhere: it takes 2 boards, and it has no tunnel' },
  );
});

t.test('the first of several works that fails ends the others, and is what is told', async (t) => {
  const failed = new Error('the first one');
  let others = 0;
  const waits = (signal: AbortSignal) =>
    new Promise<void>((_, reject) =>
      signal.addEventListener('abort', () => {
        others += 1;
        reject(signal.reason);
      }),
    );
  await t.rejects(allOrFirst([waits, () => Promise.reject(failed), waits], AbortSignal.timeout(60_000)), failed);
  t.equal(others, 2);
  t.strictSame(await allOrFirst([async () => 1, async () => 2], AbortSignal.timeout(60_000)), [1, 2]);
});

for (const [machines, begun] of [
  [undefined, 1],
  [2, 0],
] as const)
  t.test(
    `whoever interrupts the boot of ${machines ?? 1} has waited for what began, and nothing begins behind them`,
    async (t) => {
      await using _ = await privateCache();
      const interruption = new AbortController();
      let [started, living] = [0, 0];
      const prepare: MachineKind['prepare'] = async () => ({
        unlocked: [],
        inputs: [],
        start: async (run) => {
          started += 1;
          living += 1;
          await setImmediate();
          living -= 1;
          await fs.access(run.folder);
          throw new Error('interrupted');
        },
      });
      const { results } = await runOn(
        machines,
        async () => {},
        { prepare },
        interruption.signal,
        (event) => {
          // in the midst of the step's first words
          if (event.kind === 'step-started' && event.step.startsWith('boot'))
            queueMicrotask(() => interruption.abort(new Error('interrupted')));
        },
      );
      t.equal(results.verdict, 'incomplete');
      t.match(results.run.failure, { message: 'interrupted' });
      t.strictSame([started, living], [begun, 0]);
      t.strictSame(await listRuns(), []);
    },
  );
