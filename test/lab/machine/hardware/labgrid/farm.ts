import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { openCoordinator } from '../../../../../lab/machine/hardware/labgrid/coordinator.ts';
import { openSession } from '../../../../../lab/machine/hardware/labgrid/session.ts';
import { until } from '../../../../../lab/system/wait.ts';
import type { Labgrid } from './labgrid.ts';

const startMs = 120_000;
const exporterName = 'rack1';

/** What is exported: groups of resources, each with its parameters by its class. */
export type Groups = Readonly<Record<string, Readonly<Record<string, object>>>>;

/** A place as a coordinator stores it (labgrid/remote/coordinator.py, load). */
export type StoredPlace = {
  /** The group of resources that belongs to it. */
  readonly group?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly aliases?: readonly string[];
};

/** A coordinator and an exporter of labgrid's own, on loopback. */
export type Farm = AsyncDisposable & {
  readonly coordinator: string;
  /** Runs labgrid's own client as `anna` on the computer `desk`, and returns what it prints. */
  readonly client: (...args: readonly string[]) => Promise<string>;
  /** Who has which place: `PLACE HOST/USER`. */
  readonly acquired: () => Promise<readonly string[]>;
  readonly reservations: () => Promise<readonly string[]>;
  readonly stopExporter: () => Promise<void>;
  readonly stopCoordinator: () => Promise<void>;
};

const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
};

/** The first line on a program's stdout that fits. */
const lineOf = async (child: ChildProcess, pattern: RegExp): Promise<string> => {
  if (child.stdout === null) throw new Error('no stdout');
  for await (const line of createInterface({ input: child.stdout })) if (pattern.test(line)) return line;
  throw new Error(`it ended without ${pattern}`);
};

/** Starts a farm with these places, whose files lie in `folder`. */
export const startFarm = async (
  { python }: Labgrid,
  folder: string,
  groups: Groups,
  places: Readonly<Record<string, StoredPlace>>,
): Promise<Farm> => {
  await using stack = new AsyncDisposableStack();
  const stored = Object.entries(places).map(([name, { group, tags = {}, aliases = [] }]) => {
    const all = { exporter: exporterName, cls: '*', name: null, rename: null };
    const matches = group === undefined ? [] : [{ ...all, group }];
    return [name, { aliases, tags, matches, comment: '', created: 0, changed: 0 }];
  });
  await fs.mkdir(folder, { recursive: true });
  // both files are YAML, of which JSON is a part
  await fs.writeFile(path.join(folder, 'places.yaml'), JSON.stringify(Object.fromEntries(stored)));
  await fs.writeFile(path.join(folder, 'exporter.yaml'), JSON.stringify(groups, undefined, 1));
  const start = (module: string, ...args: readonly string[]): ChildProcess => {
    const child = spawn(python, ['-um', module, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
    stack.defer(() => end(child));
    return child;
  };
  const server = start('labgrid.remote.coordinator', '-l', '127.0.0.1:0');
  const port = (await lineOf(server, /^listening on/)).split(':').at(-1);
  server.stdout?.resume();
  const coordinator = `127.0.0.1:${port}`;
  const common = ['-c', coordinator, '-n', exporterName, '--hostname', '127.0.0.1'];
  const exporter = start('labgrid.remote.exporter', ...common, path.join(folder, 'exporter.yaml'));
  exporter.stdout?.resume();
  const connection = stack.use(openCoordinator(coordinator));
  const signal = AbortSignal.timeout(startMs);
  using session = await openSession(connection, 'test/farm', signal);
  const wanted = Object.values(groups).flatMap((group) => Object.keys(group)).length;
  await until(() => session.resources.size === wanted || undefined, signal);
  const resources = stack.move();
  return {
    coordinator,
    client: async (...args) => {
      const env = { LG_HOSTNAME: 'desk', LG_USERNAME: 'anna' };
      return (await execa(python, ['-m', 'labgrid.remote.client', '-x', coordinator, ...args], { env })).stdout;
    },
    acquired: async () =>
      (await connection.places()).filter(({ acquired }) => acquired).map(({ name, acquired }) => `${name} ${acquired}`),
    reservations: async () => (await connection.reservations()).map(({ owner }) => owner),
    stopExporter: () => end(exporter),
    stopCoordinator: () => end(server),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
};
