import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import Type, { type Static } from 'typebox';
import { parseJson } from '../../worker/contract/check.ts';
import { cachePath, writeAtomically } from './files/cache.ts';
import { isLocked, openLock, removeUnlocked } from './files/file-lock.mjs';
import { deadline, until } from './wait.ts';

/** Environment variable by which every process of a run can be told from anyone else's. */
export const runMark = 'OAKESTRA_LAB_RUN';

/** Environment variable by which a suite tells the runs of one entry from those of another lab. */
export const entryMark = 'OAKESTRA_LAB_ENTRY';

const endMs = 5_000;

const Record = Type.Object({
  id: Type.String(),
  /** What the kernel calls the time since it was started (random(4)): no process outlives that. */
  boot: Type.String(),
  host: Type.String(),
  /** A folder with a short path, for sockets and whatever else lives only as long as the run. */
  folder: Type.String(),
  kept: Type.Boolean(),
  what: Type.String(),
  /** Which entry of a suite it belongs to. */
  entry: Type.Optional(Type.String()),
});
export type RunRecord = Static<typeof Record>;

const recordsFolder = (): string => cachePath('runs');
const recordFile = (id: string): string => path.join(recordsFolder(), `${id}.json`);
/** Locked by the lab process that the run belongs to, and by nothing that it starts. */
const ownerFile = (id: string): string => path.join(recordsFolder(), `${id}.owner`);
/** Locked by that process, and by what outlives it if it is killed: the emulator, or the board's first process. */
const machineFile = (id: string): string => path.join(recordsFolder(), `${id}.machine`);

const save = (record: RunRecord): Promise<void> =>
  writeAtomically(recordFile(record.id), `${JSON.stringify(record)}\n`);

/** A record, unless it is damaged or another version's: then there is nothing that could be done about that run. */
const readRecord = (text: string, name: string): readonly RunRecord[] => {
  try {
    return [parseJson(Record, text, name)];
  } catch {
    return [];
  }
};

const recordNames = async (): Promise<readonly string[]> =>
  (await fs.readdir(recordsFolder()).catch(() => [])).toSorted();

/** All runs that left a record, oldest first. */
export const listRuns = async (): Promise<readonly RunRecord[]> => {
  const records = await Promise.all(
    (await recordNames())
      .filter((name) => name.endsWith('.json'))
      .map(async (name) => {
        const text = await fs.readFile(path.join(recordsFolder(), name), 'utf8').catch(() => undefined);
        return text === undefined ? [] : readRecord(text, name);
      }),
  );
  return records.flat();
};

/** Ids of this user's processes that carry the mark of run `id`. */
export const processesOf = async (id: string): Promise<readonly number[]> => {
  const mark = `${runMark}=${id}`;
  const pids = (await fs.readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const marked = await Promise.all(
    pids.map(async (pid) => {
      const environment = await fs.readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
      return pid !== process.pid && environment.split('\0').includes(mark) ? [pid] : [];
    }),
  );
  return marked.flat();
};

/**
 * Ends everything that a run made: its processes, its folder, and last its record. False when its machine goes on all
 * the same: it is in a container whose processes this one does not see. Then the record stays.
 */
export const removeRun = async ({ id, folder }: RunRecord): Promise<boolean> => {
  let killed = false;
  for (let round = 0; round < 3; round++) {
    const pids = await processesOf(id);
    if (pids.length === 0) break;
    killed = true;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it has ended meanwhile
      }
    }
  }
  const ended = async () => !(await isLocked(machineFile(id))) || undefined;
  const isOver = killed
    ? await until(ended, deadline(endMs, `the end of ${id}`)).catch(() => undefined)
    : await ended();
  if (isOver === undefined) return false;
  await fs.rm(folder, { recursive: true, force: true });
  for (const file of [ownerFile(id), machineFile(id), recordFile(id)]) await fs.rm(file, { force: true });
  return true;
};

const bootId = async (): Promise<string> => (await fs.readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();

/** Types of file systems that other computers may write to as well (statfs(2)): NFS, SMB, 9p, FUSE, Ceph. */
const sharedTypes: ReadonlySet<number> = new Set([0x6969, 0xff534d42, 0xfe534d42, 0x01021997, 0x65735546, 0x00c36400]);

/**
 * True while somebody may use a run: the lab that it belongs to, or its kept machine. A lock says so to every process
 * of the same kernel. Another kernel's run is over, as this computer was started anew; but one of another computer,
 * with which the cache is shared, cannot be judged.
 */
const isLiving = async ({ id, boot, host, kept }: RunRecord): Promise<boolean> => {
  if (boot !== (await bootId()))
    return host !== os.hostname() && sharedTypes.has((await fs.statfs(recordsFolder())).type);
  return isLocked(kept ? machineFile(id) : ownerFile(id));
};

/** True while somebody may use the run with this id. */
export const isRunLiving = async (id: string): Promise<boolean> => {
  const record = (await listRuns()).find((one) => one.id === id);
  return record !== undefined && (await isLiving(record));
};

/** The kept machines that still run, oldest first. */
export const keptRuns = async (): Promise<readonly RunRecord[]> => {
  const kept = (await listRuns()).filter((record) => record.kept);
  const living = await Promise.all(kept.map(isLiving));
  return kept.filter((_record, index) => living[index]);
};

/** Removes locks of runs that were killed before they had a record. */
const removeStrayLocks = async (): Promise<void> => {
  const names = await recordNames();
  for (const name of names) {
    const [, id] = /^(.+)\.(?:owner|machine)$/.exec(name) ?? [];
    if (id === undefined || names.includes(`${id}.json`)) continue;
    await removeUnlocked(path.join(recordsFolder(), name));
  }
};

/**
 * Removes what killed runs and kept machines that ended left. Living ones stay. Returns what was removed.
 */
export const reapRuns = async (): Promise<readonly RunRecord[]> => {
  await removeStrayLocks();
  const reaped: RunRecord[] = [];
  for (const record of await listRuns())
    if (!(await isLiving(record)) && (await removeRun(record))) reaped.push(record);
  return reaped;
};

/** The runs of this process that are not kept, also those that are still being opened. */
const own = new Set<Promise<AsyncDisposable>>();

/**
 * Removes the runs of this process that are not kept. For its end: work that was broken off, or that another failure
 * left behind, may still be on the way to its own clean-up.
 */
export const removeOwnRuns = async (): Promise<void> => {
  for (const opening of own) {
    const run = await opening.catch(() => undefined); // whoever opens it is told
    await run?.[Symbol.asyncDispose]();
  }
};

/** A run of this process: its mark is recorded before anything that carries it exists. */
export type RunFolder = AsyncDisposable & {
  readonly id: string;
  readonly folder: string;
  /** What processes of this run get into their environment. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * An open file of this process. A machine inherits it: as long as a process of the machine has it open, the run is
   * known to go on, in every container that shares the cache.
   */
  readonly lock: number;
  /** Leaves everything in place when this process ends, for as long as a process has {@link RunFolder.lock} open. */
  keep(): Promise<void>;
};

/** A name that nothing else has, and that sorts by the second in which it was made. */
export const newId = (): string => {
  const stamp = new Date().toISOString().replace(/[-:]/g, '').slice(0, 15);
  return `${stamp}-${randomBytes(3).toString('hex')}`;
};

/** Unix sockets live in a run's folder, and their paths may be 107 bytes at most (unix(7)). */
const longestTemporary = 60;

/** Where the folders of runs are made: TMPDIR, unless its path is too long. */
export const runsPlace = (): string => (os.tmpdir().length > longestTemporary ? '/tmp' : os.tmpdir());

const makeRun = async (what: string, id: string, forget: () => void): Promise<RunFolder> => {
  await fs.mkdir(recordsFolder(), { recursive: true });
  const folder = path.join(runsPlace(), `lab-${id}`);
  const entry = process.env[entryMark];
  const record: RunRecord = {
    ...{ id, folder, kept: false, what },
    ...{ boot: await bootId(), host: os.hostname() },
    ...(entry === undefined ? {} : { entry }),
  };
  const [owner, machine] = await Promise.all([openLock(ownerFile(id)), openLock(machineFile(id))]);
  await save(record);
  await fs.mkdir(folder, { mode: 0o700 });
  let removal: Promise<void> | undefined;
  const remove = async () => {
    // what it started and is killed now has the machine's lock a moment longer
    closeSync(machine.fd);
    await removeRun(record);
    owner.release();
    forget();
  };
  return {
    id,
    folder,
    env: { [runMark]: id },
    lock: machine.fd,
    keep: async () => {
      removal = Promise.resolve();
      forget();
      await save({ ...record, kept: true });
    },
    [Symbol.asyncDispose]: () => (removal ??= remove()),
  };
};

/**
 * Opens a run, with an id that {@link newId} gave. Disposing of it removes everything that carries its mark, unless it is
 * kept; this process stays.
 */
export const openRun = (what: string, id = newId()): Promise<RunFolder> => {
  const forget = () => own.delete(opening);
  const opening = makeRun(what, id, forget);
  opening.catch(forget);
  own.add(opening);
  return opening;
};
