import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeployRequest } from '../../contract/job.ts';
import type { Log } from '../../system/log.ts';
import { explain } from '../explain.ts';

const megabyte = 1024 * 1024;

/** wasmtime itself needs about 30 MB: a whole process gets no less than this, in MB. */
const leastMegabytes = 64;

/** Length of the period in which a process may use its share of the processor, in microseconds. */
const period = 100_000;

/**
 * The files of a control group that hold a job's limits, with their content: the memory of the whole process, no swap
 * beside it, and the share of the processor. Source: Linux, admin-guide/cgroup-v2.
 */
export const limitFiles = (job: DeployRequest): ReadonlyMap<string, string> => {
  const files = new Map<string, string>();
  const { memory, vcpus } = job;
  if (memory) {
    files.set('memory.max', String(Math.round(Math.max(memory, leastMegabytes) * megabyte)));
    files.set('memory.swap.max', '0');
  }
  if (vcpus) files.set('cpu.max', `${Math.max(1000, Math.round(vcpus * period))} ${period}`);
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

  constructor(folder: string) {
    this.#folder = folder;
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
    for (const [file, text] of limitFiles(job)) {
      // Without swap in the kernel there is nothing to limit and no file for it.
      const optional = file === 'memory.swap.max';
      await writeFile(join(folder, file), text, { flag: 'r+' }).catch((error: NodeJS.ErrnoException) => {
        if (!(optional && error.code === 'ENOENT')) throw error;
      });
    }
    return this.group(task);
  }
}

/**
 * The control groups of this node, or undefined where memory and processor cannot be limited by cgroup v2 (an older
 * hierarchy, a user namespace, no such controllers); then wasmtime's own limits are all there is, and the log says so.
 */
export const findGroups = async (log: Log, root = '/sys/fs/cgroup'): Promise<Groups | undefined> => {
  const folder = join(root, 'oakestra');
  try {
    const delegate = (parent: string) =>
      writeFile(join(parent, 'cgroup.subtree_control'), '+memory +cpu', { flag: 'r+' });
    await delegate(root);
    await makeFolder(folder);
    await delegate(folder);
    return new Groups(folder);
  } catch (error) {
    await rmdir(folder).catch(() => undefined);
    log.info(`no control groups for instances, wasmtime's own limits hold instead: ${explain(error)}`);
    return undefined;
  }
};
