// node bench/inside/soak.ts FOLDER OUTPUT, in namespaces of its own: memory of both daemons while services come and go.
import { writeFile } from 'node:fs/promises';
import { create, patience } from '../../test/conformance/world/instances.ts';
import { makeLab } from '../../test/conformance/world/namespaces.ts';
import { openWorld, type World } from '../../test/conformance/world/world.ts';
import { atMost, type Figure } from '../figure.ts';
import { kilobytes } from '../memory.ts';

/** Fewer, for a short look, where BENCH_CYCLES says so. */
const cycles = Number(process.env['BENCH_CYCLES'] ?? 3_000);
const firstAfter = 100;
const [folder = '', output = ''] = process.argv.slice(2);
const figures: Figure[] = [];
const note = (what: string, value: number, unit: string) => void figures.push({ what, value, unit });

/** Resident memory of both daemons over many services that come and go one after the other. */
const soak = async (world: World): Promise<void> => {
  const { manager, engine } = await world.worker();
  await world.cluster.next('information');
  const weigh = async () =>
    await Promise.all([manager.pid, engine.pid].map((pid) => kilobytes(`/proc/${pid}/status`, 'VmRSS')));
  let early: readonly number[] = [];
  for (let cycle = 1; cycle <= cycles; cycle++) {
    const deployment = await create(world, { instance: 0 });
    await deployment.undeploy(patience());
    if (cycle === firstAfter) early = await weigh();
    if (cycle % 500 === 0) process.stderr.write(`${cycle} of ${cycles} services have come and gone\n`);
  }
  const late = await weigh();
  for (const [at, name] of ['NetManager', 'NodeEngine'].entries()) {
    const [first = Number.NaN, last = Number.NaN] = [early[at], late[at]];
    note(`${name} after ${firstAfter} services, resident`, first / 1024, 'MB');
    note(`${name} after ${cycles} services, resident`, last / 1024, 'MB');
    figures.push(atMost(`${name} after ${cycles} services against ${firstAfter}, resident`, last / first, 'x', 1.2));
  }
};

makeLab(folder);
{
  await using world = await openWorld(folder, { topology: 'bridged', dialect: '403' });
  await soak(world);
}
await writeFile(output, JSON.stringify(figures));
