import t from 'tap';
import type { MachineKind } from '../../../lab/machine/kind.ts';
import { runScenario } from '../../../lab/scenario/run/run.ts';
import { scenario } from '../../../lab/scenario/scenario.ts';
import { labFault } from '../../../lab/system/errors.ts';
import { listRuns } from '../../../lab/system/runs.ts';
import { privateCache } from '../../support/files/private.ts';
import { askedBoard } from './asked-board.ts';

const kind = (prepare: MachineKind['prepare']): MachineKind => ({
  name: 'nowhere',
  description: 'a machine that never starts',
  architecture: 'aarch64',
  fidelity: 'emulated',
  capabilities: new Set(['bridge']),
  requires: [],
  openKept: async () => undefined,
  prepare,
});

const options = (prepare: MachineKind['prepare'], needs: readonly ('bridge' | 'veth')[] = ['bridge']) => ({
  name: 'nothing',
  command: ['scenario', 'nothing'],
  scenario: scenario({
    description: '?',
    requires: needs,
    network: { topology: 'bridged', subnet: '10.10.0.0' },
    run: async () => {},
  }),
  kind: kind(prepare),
  machine: {},
  app: { name: 'x.wasm', bytes: new Uint8Array(), sha256: '0'.repeat(64) },
  load: { connections: 1, duration: 1 },
  keep: false,
  signal: new AbortController().signal,
  onEvent: () => {},
});

t.test('what goes wrong before there is a worker is the lab itself, whatever threw it', async (t) => {
  await using _ = await privateCache();
  for (const [thrown, message] of [
    [new TypeError('x is not iterable'), 'the machine could not be prepared: x is not iterable'],
    [labFault('no space left', ['make room']), 'no space left'],
  ] as const) {
    const { results } = await runScenario(options(() => Promise.reject(thrown)));
    t.equal(results.verdict, 'error');
    t.match(results.run.failure, { step: 'prepare the machine', message });
  }
  t.strictSame(await listRuns(), [], 'no record stays');
});

t.test('a machine that cannot do what a scenario needs is not even prepared', async (t) => {
  await using _ = await privateCache();
  let prepared = false;
  const run = runScenario(
    options(() => {
      prepared = true;
      return Promise.reject(new Error('never'));
    }, ['bridge', 'veth']),
  );
  await t.rejects(run, { fault: 'incomplete', message: 'nothing cannot run on nowhere, which has no veth' });
  t.notOk(prepared);
});

t.test('a scenario does not begin on a board that has its network already', async (t) => {
  await using _ = await privateCache();
  const done: string[] = [];
  const board = askedBoard(done, [
    { ifname: 'eth1', addr_info: [{ family: 'inet', local: '10.10.0.9', prefixlen: 24 }] },
  ]);
  const prepared = { unlocked: [], inputs: [], start: async () => board };
  const { results } = await runScenario(options(async () => prepared));
  t.equal(results.verdict, 'incomplete');
  t.match(results.run.failure, {
    step: 'start the worker',
    message: 'these exist already on the board: 10.10.0.9/24 on eth1',
    next: ['when nothing else needs it, on the board:', 'ip address delete 10.10.0.9/24 dev eth1', /--keep/],
  });
  t.strictSame(done, [], 'nothing was done to it');
  t.strictSame(await listRuns(), []);
});

t.test('an interrupted run is incomplete and leaves no record', async (t) => {
  await using _ = await privateCache();
  const interruption = new AbortController();
  const { results } = await runScenario({
    ...options((_machine, _say, signal) => {
      interruption.abort(new Error('interrupted'));
      return Promise.reject(signal.reason);
    }),
    signal: interruption.signal,
  });
  t.equal(results.verdict, 'incomplete');
  t.match(results.run.failure, { message: /interrupted/ });
  t.strictSame(await listRuns(), []);
});
