// node bench/inside/worker.ts FOLDER OUTPUT, in namespaces of its own: measures a worker on a board and writes figures.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import type { Board } from '../../test/conformance/world/board.ts';
import { create, patience, processesOf } from '../../test/conformance/world/instances.ts';
import { makeLab } from '../../test/conformance/world/namespaces.ts';
import type { NetManager } from '../../test/conformance/world/net-manager.ts';
import { wasm } from '../../test/conformance/world/requests.ts';
import { openWorld, type Variant, type World } from '../../test/conformance/world/world.ts';
import { run } from '../../test/support/network.ts';
import { atMost, type Figure } from '../figure.ts';
import { kilobytes } from '../memory.ts';

const rounds = 20;
const cycles = 1_000;
/** By then V8 has collected garbage a few times and its heap has the size that it keeps. */
const settledAfter = 300;
const [folder = '', output = ''] = process.argv.slice(2);
const floor = fileURLToPath(new URL('worker-floor.ts', import.meta.url));

type Times = { readonly up: number[]; readonly down: number[] };

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await work();
  return performance.now() - began;
};

const post = async (manager: NetManager, path: string, instance: number): Promise<void> => {
  const reply = await manager.post(path, wasm(instance, path.endsWith('/deploy') ? `${9000 + instance}:80` : ''));
  if (reply.status !== 200) throw new Error(`${path} was answered ${reply.status}: ${reply.text}`);
};

const up = (manager: NetManager, instance: number) => post(manager, '/wasm/deploy', instance);
const down = (manager: NetManager, instance: number) => post(manager, '/wasm/undeploy', instance);

/** The value below which a share of the samples lies, by nearest rank. */
const quantile = (samples: readonly number[], share: number): number =>
  samples.toSorted((a, b) => a - b)[Math.ceil(share * samples.length) - 1] ?? Number.NaN;

/** The most that a deployment may take against the same commands by hand: what a journal and checks may cost. */
const mostAgainstHand = { bridged: { deploy: 1.25, undeploy: 2 }, veth: { deploy: 1.4, undeploy: 2 } } as const;

const figures: Figure[] = [];
const note = (what: string, value: number, unit: string) => void figures.push({ what, value, unit });
const p50 = (times: readonly number[]) => quantile(times, 0.5);

/** Deployments by hand: so many times one after the other, each time so many at once. */
const byHand = async (board: Board, times: number, together: number): Promise<Times> =>
  JSON.parse(await run(...board.here, process.execPath, floor, String(times), String(together))) as Times;

/** Our times and the floor's, in turns, so that a load from elsewhere meets both. */
const compare = async ({ board }: World, manager: NetManager, instance: number) => {
  const ours: Times = { up: [], down: [] };
  const bare: Times = { up: [], down: [] };
  for (let turn = 0; turn < 2; turn++) {
    const measured = await byHand(board, rounds / 2, 1);
    bare.up.push(...measured.up);
    bare.down.push(...measured.down);
    for (let round = 0; round < rounds / 2; round++) {
      ours.up.push(await timed(() => up(manager, instance)));
      ours.down.push(await timed(() => down(manager, instance)));
    }
  }
  return { ours, bare };
};

/** A deployment beside `standing` others and one on an empty board, in turns, so that a load from elsewhere meets both. */
const againstFirst = async (variant: Variant, manager: NetManager, standing: number): Promise<void> => {
  await using empty = await openWorld(folder, variant);
  const other = await empty.netManager();
  const [last, first]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    last.push(await timed(() => up(manager, standing)));
    first.push(await timed(() => up(other, 0)));
    await Promise.all([down(manager, standing), down(other, 0)]);
  }
  const what = `deploy p50 of the ${standing + 1}th against the first, ${variant.topology}`;
  figures.push(atMost(what, p50(last) / p50(first), 'x', 1.3));
};

const levels = async (world: World, manager: NetManager): Promise<void> => {
  const { topology } = world.variant;
  let standing = 0;
  for (const level of [1, 20, 60]) {
    for (; standing < level - 1; standing++) await up(manager, standing);
    const { ours, bare } = await compare(world, manager, standing);
    const at = `${topology}, instance ${level}`;
    for (const [what, side] of [
      ['deploy', 'up'],
      ['undeploy', 'down'],
    ] as const) {
      note(`${what} p50, ${at}`, p50(ours[side]), 'ms');
      note(`${what} p95, ${at}`, quantile(ours[side], 0.95), 'ms');
      note(`${what} by hand p50, ${at}`, p50(bare[side]), 'ms');
      figures.push(
        atMost(
          `${what} p50 against by hand, ${at}`,
          p50(ours[side]) / p50(bare[side]),
          'x',
          mostAgainstHand[topology][what],
        ),
      );
    }
  }
  await againstFirst(world.variant, manager, standing);
  await Promise.all(Array.from({ length: standing }, (_, instance) => down(manager, instance)));
  const [one, together]: [number[], number[]] = [[], []];
  const twenty = Array.from({ length: 20 }, (_, instance) => instance);
  const bare = await byHand(world.board, rounds / 2, 20);
  for (let round = 0; round < rounds / 2; round++) {
    one.push(await timed(() => up(manager, 0)));
    await down(manager, 0);
    together.push(await timed(() => Promise.all(twenty.map((instance) => up(manager, instance)))));
    await Promise.all(twenty.map((instance) => down(manager, instance)));
  }
  note(`20 deploys at once p50, ${topology}`, p50(together), 'ms');
  note(`20 deploys at once by hand p50, ${topology}`, p50(bare.up), 'ms');
  note(`20 deploys at once against by hand, ${topology}`, p50(together) / p50(bare.up), 'x');
  figures.push(atMost(`20 deploys at once against one, ${topology}`, p50(together) / p50(one), 'x', 3));
};

const leaks = async ({ board, variant }: World, manager: NetManager): Promise<void> => {
  const files = () => run(...board.here, 'find', '/etc/netmanager', '/var/lib/oakestra', '/var/cache/oakestra');
  const observe = async () => ({ kernel: await board.footprint(), files: await files() });
  const resident = () => kilobytes(`/proc/${manager.pid}/status`, 'VmRSS');
  const before = await observe();
  let [descriptors, memory] = [0, 0];
  for (let cycle = 0; cycle < cycles; cycle++) {
    if (cycle === settledAfter) [descriptors, memory] = [await manager.descriptors(), await resident()];
    await up(manager, cycle % 100);
    await down(manager, cycle % 100);
  }
  const clean = isDeepStrictEqual(await observe(), before);
  const after = `after ${cycles} cycles, ${variant.topology}`;
  figures.push(atMost(`namespaces, links, rules or files changed ${after}`, clean ? 0 : 1, '', 0));
  figures.push(atMost(`descriptors more ${after}`, Math.max(0, (await manager.descriptors()) - descriptors), '', 0));
  figures.push(
    atMost(`resident memory against cycle ${settledAfter}, ${after}`, (await resident()) / memory, 'x', 1.1),
  );
};

const pss = async (pid: number): Promise<number> => (await kilobytes(`/proc/${pid}/smaps_rollup`, 'Pss')) / 1024;

const whole = async (world: World): Promise<void> => {
  const { manager, engine } = await world.worker();
  await world.cluster.next('information');
  const weigh = async (when: string): Promise<void> => {
    figures.push(atMost(`NetManager ${when}, PSS`, await pss(manager.pid), 'MB', 70));
    figures.push(atMost(`NodeEngine ${when}, PSS`, await pss(engine.pid), 'MB', 70));
  };
  await weigh('idle');
  let standing = 0;
  for (const level of [1, 60]) {
    for (; standing < level - 1; standing++) await create(world, { instance: standing });
    const times: number[] = [];
    for (let round = 0; round <= 5; round++) {
      const began = performance.now();
      const deployment = await create(world, { instance: standing });
      // The first one of all is compiled.
      if (round > 0) times.push(performance.now() - began);
      if (round < 5) await deployment.undeploy(patience());
    }
    standing = level;
    const [pid = 0] = await processesOf(world, level - 1);
    note(`deploy message to the first response, precompiled, instance ${level}, p50`, p50(times), 'ms');
    note(`instance ${level}, PSS`, await pss(pid), 'MB');
  }
  await weigh(`with ${standing} instances`);
};

makeLab(folder);
for (const topology of ['bridged', 'veth'] as const) {
  process.stderr.write(`${topology}: deploying and undeploying\n`);
  await using world = await openWorld(folder, { topology, dialect: '403' });
  const manager = await world.netManager();
  await levels(world, manager);
  process.stderr.write(`${topology}: ${cycles} cycles\n`);
  await leaks(world, manager);
}
{
  process.stderr.write('both daemons\n');
  await using world = await openWorld(folder, { topology: 'bridged', dialect: '403' });
  await whole(world);
}
await writeFile(output, JSON.stringify(figures));
