import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import Type, { type Static } from 'typebox';
import { parseJson } from '../../worker/contract/check.ts';
import { cachePath, writeWhole } from './cache.ts';
import { identityOf } from './pid-lock.mjs';

/** Environment variable by which every process of a run can be told from anyone else's. */
export const runMark = 'OAKESTRA_LAB_RUN';

const Record = Type.Object({
  id: Type.String(),
  /** `pid start-time` of the lab process that the run belongs to. */
  owner: Type.String(),
  /** A folder with a short path, for sockets and whatever else lives only as long as the run. */
  folder: Type.String(),
  kept: Type.Boolean(),
  what: Type.String(),
});
export type RunRecord = Static<typeof Record>;

const recordsFolder = (): string => cachePath('runs');
const recordFile = (id: string): string => path.join(recordsFolder(), `${id}.json`);

const save = (record: RunRecord): Promise<void> => writeWhole(recordFile(record.id), `${JSON.stringify(record)}\n`);

/** A record, unless it is damaged or another version's: then there is nothing that could be done about that run. */
const readRecord = (text: string, name: string): readonly RunRecord[] => {
  try {
    return [parseJson(Record, text, name)];
  } catch {
    return [];
  }
};

/** All runs that left a record, oldest first. */
export const listRuns = async (): Promise<readonly RunRecord[]> => {
  const names = await fs.readdir(recordsFolder()).catch(() => []);
  const records = await Promise.all(
    names
      .filter((name) => name.endsWith('.json'))
      .toSorted()
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

/** Ends everything that a run made: its processes, its folder, and last its record. */
export const removeRun = async (record: RunRecord): Promise<void> => {
  for (let round = 0; round < 3; round++) {
    const pids = await processesOf(record.id);
    if (pids.length === 0) break;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it has ended meanwhile
      }
    }
  }
  await fs.rm(record.folder, { recursive: true, force: true });
  await fs.rm(recordFile(record.id), { force: true });
};

const isOwned = ({ owner }: RunRecord): boolean => identityOf(owner.split(' ')[0] ?? '') === owner;

/** Whether a run belongs to the process with this id, or did before that ended. */
export const isOf = ({ owner }: RunRecord, pid: number | undefined): boolean => owner.split(' ')[0] === String(pid);

/** Removes what killed runs left. Living runs and kept machines stay. Returns what was removed. */
export const reapRuns = async (): Promise<readonly RunRecord[]> => {
  const dead = (await listRuns()).filter((record) => !record.kept && !isOwned(record));
  for (const record of dead) await removeRun(record);
  return dead;
};

/**
 * Removes the runs of this process that are not kept. For its end: work that was broken off, or that another failure
 * left behind, may still be on the way to its own clean-up.
 */
export const removeOwnRuns = async (): Promise<void> => {
  const own = identityOf(process.pid);
  for (const record of await listRuns()) if (record.owner === own && !record.kept) await removeRun(record);
};

/** A run of this process: its mark is recorded before anything that carries it exists. */
export type RunFolder = AsyncDisposable & {
  readonly id: string;
  readonly folder: string;
  /** What processes of this run get into their environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Leaves everything in place when this process ends. */
  keep(): Promise<void>;
};

/** A name that nothing else has, and that sorts by the second in which it was made. */
export const newId = (): string => {
  const stamp = new Date().toISOString().replace(/[-:]/g, '').slice(0, 15);
  return `${stamp}-${randomBytes(3).toString('hex')}`;
};

/** Opens a run. Disposing of it removes everything that carries its mark, unless it is kept. */
export const openRun = async (what: string): Promise<RunFolder> => {
  await fs.mkdir(recordsFolder(), { recursive: true });
  const id = newId();
  // unix sockets live here, and their paths may be 107 bytes at most
  const folder = path.join(os.tmpdir().length > 60 ? '/tmp' : os.tmpdir(), `lab-${id}`);
  const owner = identityOf(process.pid) ?? String(process.pid);
  const record: RunRecord = { id, owner, folder, kept: false, what };
  await save(record);
  await fs.mkdir(folder, { mode: 0o700 });
  let kept = false;
  return {
    id,
    folder,
    env: { [runMark]: id },
    keep: async () => {
      kept = true;
      await save({ ...record, kept });
    },
    [Symbol.asyncDispose]: async () => {
      if (!kept) await removeRun(record);
    },
  };
};
