import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { InvalidData } from '../../../contract/check.ts';
import { type ComponentInfo, handlers, type World, worldOf } from '../../../contract/component.ts';
import type { DeployRequest } from '../../../contract/job.ts';
import { parsePorts } from '../../../contract/ports.ts';
import { environmentOf, isInheritable } from '../environment.ts';
import { bytesText } from '../memory.ts';
import type { RunPlan } from '../runtime.ts';
import { type Serving, splitServing } from '../serving.ts';
import { factsOf } from './features.ts';
import { checkImports, featuresOf, importOptions, type RuntimeFacts } from './imports.ts';
import { servingOptions, threadsOf, timeoutOption } from './options.ts';
import type { Wasmtime } from './wasmtime.ts';

const defaultPort = 80;

const addressOf = (port: number, ipv6: boolean): string => (ipv6 ? `[::]:${port}` : `0.0.0.0:${port}`);

const startable = (info: ComponentInfo, once: boolean): World => {
  const world = worldOf(info, once);
  if (world !== undefined) return world;
  const some = info.exports.slice(0, 10).map((name) => name.slice(0, 100));
  const exported = some.length > 0 ? some.join(', ') : 'nothing';
  const wanted = info.kind === 'module' ? "'_start'" : `${handlers.join(', ')} or wasi:cli/run`;
  throw new InvalidData('image', [`the ${info.kind} exports ${exported}, but not ${wanted}`]);
};

/** What is told of volumes, none of which can be mounted: wasmtime is given no folder of the board. */
const volumeNotes = ({ volumes }: DeployRequest): string[] => {
  const named = (volumes ?? []).map((volume) => {
    const { volume_id: id, mount_path: path } = (volume ?? {}) as Readonly<Record<string, unknown>>;
    const name = [volume, id].find((one) => typeof one === 'string') ?? 'a volume';
    return `${name}${typeof path === 'string' ? ` at ${path}` : ''}`.slice(0, 200);
  });
  return named.length > 0 ? [`volumes are not mounted on this node: ${named.slice(0, 10).join(', ')}`] : [];
};

/** What of a node decides how its components run. */
export type Host = {
  readonly serving: Serving;
  readonly processors: number;
  readonly ipv6: boolean;
  readonly runtime: RuntimeFacts;
};

/**
 * wasi:config is the job's environment. wasmtime takes it from its arguments alone, where a comma would end a value and
 * begin another option.
 */
const configOf = (given: ReadonlyMap<string, string>) => {
  const entries = [...given];
  const hasComma = (entry: readonly string[]): boolean => entry.join('').includes(',');
  const [fits, left] = [entries.filter((entry) => !hasComma(entry)), entries.filter(hasComma)];
  const notes = [
    ...(fits.length > 0
      ? ["wasi:config has the job's environment from wasmtime's arguments: users of this node can read it"]
      : []),
    ...left.slice(0, 10).map(([name]) => `${name.slice(0, 100)} is not in wasi:config: wasmtime takes no comma there`),
  ];
  return { options: fits.flatMap(([name, value]) => ['-S', `config-var=${name}=${value}`]), notes };
};

/**
 * The arguments that run a component as its job asks, with what it imports. HTTP services listen on the first TCP
 * mapping's inner port (80 without one) and on both address families when the kernel has IPv6. Throws
 * {@link InvalidData} for a component that cannot be started, or that imports what this wasmtime has not got.
 */
export const planRun = (job: DeployRequest, info: ComponentInfo, host: Host): RunPlan => {
  const world = startable(info, job.one_shot === true);
  checkImports(info, world, host.runtime);
  const memory = job.memory ?? 0;
  const { serving, given, notes: unread } = splitServing(environmentOf(job.environment ?? []), host.serving);
  const imported = importOptions(info, world, host.runtime);
  const config = imported.includes('config') ? configOf(given) : { options: [], notes: [] };
  const notes = [...volumeNotes(job), ...unread, ...config.notes];
  const common = [
    '-C',
    'cache=n',
    ...imported,
    ...config.options,
    ...(memory > 0 ? ['-W', `max-memory-size=${bytesText(memory)}`] : []),
    ...[...given].map(([name, value]) => `--env=${isInheritable(name) ? name : `${name}=${value}`}`),
  ];
  const environment = Object.fromEntries([
    ...[...given].filter(([name]) => isInheritable(name)),
    ['TOKIO_WORKER_THREADS', String(threadsOf(job.vcpus ?? 0, host.processors))] as const,
  ]);
  if (world === 'proxy') {
    const port = parsePorts(job.port ?? '').find((mapping) => mapping.protocol === 'tcp')?.inner ?? defaultPort;
    if ((job.cmd ?? []).length > 0) notes.push('cmd is not used: an HTTP service takes no arguments');
    const before = [
      'serve',
      '-S',
      'cli',
      ...common,
      ...servingOptions(serving, info),
      '--addr',
      addressOf(port, host.ipv6),
    ];
    return { world, port, before, after: [], environment, notes };
  }
  if (world === 'module') notes.push('a core module has no sockets: it runs without network');
  const before = ['run', ...common, ...timeoutOption(0)];
  return { world, port: undefined, before, after: job.cmd ?? [], environment, notes };
};

/** The same on this computer, whose wasmtime is asked for what the component needs of it. */
export const planHere = async (
  job: DeployRequest,
  info: ComponentInfo,
  serving: Serving,
  wasmtime: Wasmtime,
): Promise<RunPlan> => {
  const runtime = await factsOf(wasmtime, featuresOf(info, startable(info, job.one_shot === true)));
  return planRun(job, info, {
    serving,
    processors: availableParallelism(),
    ipv6: existsSync('/proc/net/if_inet6'),
    runtime,
  });
};
