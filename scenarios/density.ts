import { median } from '../lab/report/model/statistics.ts';
import { type Service, scenario } from '../lab/scenario/scenario.ts';
import { expectFirst } from '../lab/scenario/targets/answer.ts';

const steps = [1, 2, 4, 8, 16, 32, 61];
const few = 8;
const loadShare = 10;
/** Loads shorter than this show only that everything works. */
const minSeconds = 5;
const connections = 4;

export default scenario({
  description: 'How many instances fit on a board, and what does each of them cost the others?',
  requires: ['bridge', 'nft', 'serve'],
  network: { topology: 'bridged', subnet: '10.10.0.0', subnet6: 'fd00:10::' },
  seconds: 300,

  async run({ step, board, lab, machine, options, expectedAnswer, deploy, undeploy, load, record, snapshot, changes }) {
    const before = await step("record the board's state", board, snapshot);
    const measured = machine.capabilities.has('performance') && options.duration >= minSeconds;
    const counts = steps.filter((count) => measured || count <= few);
    const seconds = options.duration / loadShare;
    const services: Service[] = [];
    let alone: number | undefined;
    for (const count of counts) {
      const dimensions = { instances: String(count) };
      const samples = await step(`deploy up to ${count}`, lab, async () => {
        const took: number[] = [];
        while (services.length < count) {
          const began = performance.now();
          services.push(await deploy({ instance: services.length }));
          took.push(performance.now() - began);
        }
        return took;
      });
      record({ name: 'deploy', unit: 'ms', kind: 'performance', where: 'lab', dimensions, samples });
      await step(`${count}: memory of each, and the first one under load`, board, async ({ $, get, expect }) => {
        for (const { address } of services)
          expect.equal(
            address.v4,
            (await get(`http://${address.v4}${expectedAnswer.path}`)).status,
            expectedAnswer.status,
          );
        const rollups = (await $`cat /proc/[0-9]*/smaps_rollup 2>/dev/null | grep -c Pss: || true`).stdout;
        expect.ok('memory can be read', Number(rollups) >= count, rollups);
        const script = 'for pid in $(pgrep -x wasmtime); do cat /proc/$pid/smaps_rollup 2>/dev/null; done; true';
        const memory = (await $`sh -c ${script}`).stdout;
        const bytes = (key: string) =>
          [...memory.matchAll(new RegExp(`^${key}: +(\\d+) kB$`, 'gm'))].map(
            ([, kilobytes]) => Number(kilobytes) * 1024,
          );
        const clean = bytes('Private_Clean');
        const each = { unit: 'bytes', kind: 'performance', where: 'board', dimensions } as const;
        // instances of one boot share their pages and are no replicates of each other: the middle one is the sample
        const middle = (sizes: readonly number[]) => [median(sizes) ?? 0];
        record({ name: 'memory.proportional', ...each, samples: middle(bytes('Pss')) });
        record({
          name: 'memory.private',
          ...each,
          samples: middle(bytes('Private_Dirty').map((dirty, i) => dirty + (clean[i] ?? 0))),
        });
        const [first] = services;
        if (!first) return;
        const url = `http://${first.address.v4}${expectedAnswer.path}`;
        const expected = expectFirst(expect, await get(url), expectedAnswer);
        const how = { from: board, service: first, seconds, connections };
        const result = await load(`with ${count} instances`, url, expected, how);
        const p99 = result.latency.getValueAtPercentile(99);
        alone ??= p99;
        const ratio = { unit: 'x', kind: 'performance', where: 'board', dimensions } as const;
        if (measured) record({ name: 'p99 against that of one alone', ...ratio, samples: [p99 / alone] });
      });
    }
    await step('undeploy all', lab, async () => {
      for (const service of services.toReversed()) await undeploy(service);
    });
    await step("compare the board's state", board, async ({ expect }) => {
      expect.equal('differences from the recorded state', await changes(before), []);
    });
  },
});
