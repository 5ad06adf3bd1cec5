import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { DeployRequest } from '../../contract/job.ts';
import { explain } from '../../system/explain.ts';
import type { Log } from '../../system/log.ts';
import { bytesText } from '../runtime/memory.ts';

/** wasmtime itself needs about 30 MB: a whole process gets no less than this, in MB. */
export const minMegabytes = 64;

/**
 * The most threads and processes of an instance: wasmtime has one for each processor and up to some dozens for name
 * lookups; a component can start none.
 */
export const maxThreads = 128;

/** Length of the period in which a process may use its share of the processor, in microseconds. */
const period = 100_000;

/** What the kernel can hold a control group to. */
export type Controller = 'memory' | 'cpu' | 'pids';

/**
 * The files of a control group that hold a job's limits, with their content: the memory of the whole process, no swap
 * beside it, the share of the processor, which is at most the board's, and the number of threads. Only files of
 * `controllers`. Source: Linux, admin-guide/cgroup-v2.
 */
export const limitFiles = (
  job: DeployRequest,
  controllers: ReadonlySet<Controller>,
  processors: number,
): ReadonlyMap<string, string> => {
  const files = new Map<string, string>();
  const { memory, vcpus } = job;
  if (controllers.has('pids')) files.set('pids.max', String(maxThreads));
  if (memory && controllers.has('memory')) {
    files.set('memory.max', bytesText(Math.max(memory, minMegabytes)));
    files.set('memory.swap.max', '0');
  }
  if (vcpus && controllers.has('cpu')) {
    const share = Math.max(1000, Math.round(Math.min(vcpus, processors) * period));
    files.set('cpu.max', `${share} ${period}`);
  }
  return files;
};

/** The control group of one instance. */
type Group = {
  /** Moves a process into the group; its children follow. */
  readonly enter: (pid: number) => Promise<void>;
  /** True when the kernel has ended a process of the group for want of memory. */
  readonly ranOutOfMemory: () => Promise<boolean>;
  /** Removes the group; its processes must have ended. */
  readonly remove: () => Promise<void>;
};

/** Makes a folder that may be there already. Its parents have to be: making those never ends on a bare sysfs. */
const makeFolder = async (folder: string): Promise<void> => {
  await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
};

/** Control groups for instances under one folder of the cgroup v2 hierarchy. */
export class Groups {
  readonly #folder: string;
  /** What the kernel holds these groups to. */
  readonly controllers: ReadonlySet<Controller>;

  constructor(folder: string, controllers: ReadonlySet<Controller>) {
    this.#folder = folder;
    this.controllers = controllers;
  }

  /** The group of a task, made by this engine or by the one before it. */
  group(task: string): Group {
    const folder = join(this.#folder, task);
    return {
      enter: async (pid) => {
        await writeFile(join(folder, 'cgroup.procs'), String(pid)).catch((error: NodeJS.ErrnoException) => {
          // it has ended already, and how is told by its exit
          if (error.code !== 'ESRCH') throw error;
        });
      },
      ranOutOfMemory: async () =>
        /^oom_kill [1-9]/m.test(await readFile(join(folder, 'memory.events'), 'utf8').catch(() => '')),
      remove: async () => {
        await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw error;
        });
      },
    };
  }

  /** Makes the group of a task with its job's limits. */
  async create(task: string, job: DeployRequest): Promise<Group> {
    const folder = join(this.#folder, task);
    await makeFolder(folder);
    for (const [file, text] of limitFiles(job, this.controllers, availableParallelism())) {
      // Without swap in the kernel there is nothing to limit and no file for it.
      const optional = file === 'memory.swap.max';
      await writeFile(join(folder, file), text, { flag: 'r+' }).catch((error: NodeJS.ErrnoException) => {
        if (!(optional && error.code === 'ENOENT')) throw error;
      });
    }
    return this.group(task);
  }
}

const allControllers = ['memory', 'cpu', 'pids'] as const;

/** Hands those of `controllers` that a group may hand on to its children, each by itself; those that it cannot are left out. */
const delegate = async (parent: string, controllers: readonly Controller[]): Promise<readonly Controller[]> => {
  const done: Controller[] = [];
  for (const controller of controllers) {
    const written = writeFile(join(parent, 'cgroup.subtree_control'), `+${controller}`, { flag: 'r+' });
    await written.then(
      () => done.push(controller),
      () => undefined,
    );
  }
  return done;
};

/**
 * The control groups of this node, or undefined where nothing can be limited by cgroup v2 (an older hierarchy, a user
 * namespace, no controllers). What the kernel cannot limit is told in the log, and with each instance.
 */
export const findGroups = async (log: Log, root = '/sys/fs/cgroup'): Promise<Groups | undefined> => {
  const folder = join(root, 'oakestra');
  try {
    const offered = await delegate(root, allControllers);
    if (offered.length > 0) await makeFolder(folder);
    const controllers = new Set(offered.length > 0 ? await delegate(folder, offered) : []);
    const missing = allControllers.filter((controller) => !controllers.has(controller));
    if (missing.length > 0) log.info(`the kernel has no control groups (version 2) here for ${missing.join(', ')}`);
    if (controllers.size > 0) return new Groups(folder, controllers);
  } catch (error) {
    log.info(`no control groups for instances: ${explain(error)}`);
  }
  await rmdir(folder).catch(() => undefined);
  return undefined;
};
