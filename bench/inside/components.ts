// node bench/inside/components.ts FOLDER OUTPUT, in namespaces of its own: deploys large components and writes figures.
import { readFile, writeFile } from 'node:fs/promises';
import { deadline } from '../../lab/system/wait.ts';
import { create, greeting, send } from '../../test/conformance/world/instances.ts';
import { makeLab } from '../../test/conformance/world/namespaces.ts';
import { openWorld } from '../../test/conformance/world/world.ts';
import { atMost, type Figure } from '../figure.ts';
import { withCode, withPadding } from '../large-component.ts';

const megabyte = 1024 * 1024;
const together = 4;
const [folder = '', output = ''] = process.argv.slice(2);
const patience = () => deadline(600_000, 'the deployment');

makeLab(folder);
await using world = await openWorld(folder, { topology: 'bridged', dialect: '403' });
const { engine } = await world.worker();
await world.cluster.next('information');

/** The engine's resident memory in MB: now, and the most since {@link forget}. */
const memory = async () => {
  const status = await readFile(`/proc/${engine.pid}/status`, 'utf8');
  const of = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024;
  return { now: of('VmRSS'), most: of('VmHWM') };
};
/** proc(5), clear_refs: 5 resets the most resident memory. */
const forget = () => writeFile(`/proc/${engine.pid}/clear_refs`, '5');

/** Deploys an instance and removes it again; resolves with the ms until its first answer. */
const once = async (instance: number, image: string): Promise<number> => {
  const began = performance.now();
  const deployment = await send(world, { instance, image });
  await deployment.status('CREATED', patience());
  const took = performance.now() - began;
  await deployment.undeploy(patience());
  return took;
};

const figures: Figure[] = [];
const component = await greeting();
const deployment = await create(world);
await deployment.undeploy(patience());

process.stderr.write('a component of 12 MB\n');
const image = world.cluster.offer('code.wasm', withCode(component, 12 * megabyte));
const [first, second] = [await once(0, image), await once(0, image)];
const what = 'deploy message to the first answer of a component with 12 MB of code';
figures.push({ what: `${what}, first start`, value: first, unit: 'ms' });
figures.push(atMost(`${what}, second start`, second, 'ms', 500));
figures.push(atMost('second start against the first', second / first, 'x', 0.1));

const large = (mark: number) => {
  const bytes = withPadding(component, 120 * megabyte);
  bytes[bytes.length - 1] = mark;
  return world.cluster.offer(`padded-${mark}.wasm`, bytes);
};
const weigh = async (how: string, images: readonly string[]): Promise<void> => {
  process.stderr.write(`${how}\n`);
  const { now: before } = await memory();
  await forget();
  await Promise.all(images.map((one, instance) => once(instance, one)));
  const { now: after, most } = await memory();
  figures.push({ what: `NodeEngine before ${how}, resident`, value: before, unit: 'MB' });
  figures.push(atMost('the most meanwhile against before', most / before, 'x', 1.5));
  figures.push(atMost('after it against before', after / before, 'x', 1.5));
};
await weigh('a component of 120 MB', [large(1)]);
await weigh(
  `${together} components of 120 MB at once`,
  Array.from({ length: together }, (_, at) => large(2 + at)),
);
await writeFile(output, JSON.stringify(figures));
