import { fileURLToPath } from 'node:url';
import t from 'tap';
import { labWorld } from '../support/lab.ts';
import { passesOn, samplesOf } from './passes.ts';

const names = ['overlay', 'overlay-conditions', 'overlay-failover', 'overlay-mixed'] as const;

t.test('where boards cannot be joined the overlay is inconclusive, and the reason is said', async (t) => {
  await using world = await labWorld();
  const reports = ['--machine', 'local', '--reports', world.reports];
  const { code, stderr } = await world.run(['scenario', 'overlay', ...reports]);
  t.equal(code, 2, { stderr });
  t.match(stderr, /overlay cannot run on local: it takes 2 boards, and .*the kernel forbids.*FOU/s);
  const suite = await world.run(['suite', ...names, ...reports, '--json']);
  t.equal(suite.code, 2, { stderr: suite.stderr });
  t.match(
    JSON.parse(suite.stdout).entries.map((entry: { readonly reason: string }) => entry.reason),
    names.map(() => /not on local: it takes 2 boards/),
  );
  t.strictSame(await world.leftovers(), []);
});

// two emulated boards take minutes
const skip = process.env['LAB_NIGHTLY'] ? false : 'set LAB_NIGHTLY=1 to boot two boards';

await passesOn(
  'virt',
  'overlay',
  async (t, { results }) => {
    t.match(results.run.boards, [
      { name: 'board-1', topology: { instances: [{ task: /caller/ }] } },
      { name: 'board-2', topology: { instances: [{ task: /called/ }] } },
    ]);
    t.ok(samplesOf(results, 'load.responses').every((count) => count > 0));
  },
  skip,
);

await passesOn('virt', 'overlay-failover', undefined, skip);

await passesOn(
  'virt',
  'overlay-conditions',
  async (t, { results }) => {
    t.ok(samplesOf(results, 'segment.passed').every((count) => count > 0));
  },
  skip,
);

const ownNetManager = fileURLToPath(new URL('../../buildroot/overlay/usr/bin/NetManager', import.meta.url));

await passesOn(
  'virt',
  'overlay-mixed',
  async (t, { results }) => {
    const other = results.inputs.find(({ name }) => name === 'NetManager of the second board');
    t.match(other, { version: 'NetManager', sha256: /^[0-9a-f]{64}$/ });
  },
  skip,
  ['--net-manager', ownNetManager],
);
