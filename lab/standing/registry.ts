import fs from 'node:fs/promises';
import path from 'node:path';
import Type, { type Static } from 'typebox';
import { parseJson } from '../../worker/contract/check.ts';
import { LabError, usageFault } from '../system/errors.ts';
import { cachePath, writeAtomically } from '../system/files/cache.ts';
import { isLocked, openLock, removeUnlocked } from '../system/files/file-lock.mjs';

/** The lab that commands mean where no other one is named. */
export const defaultLab = 'default';

/** A cluster as `up --join` names it, and the address by which other workers reach this computer. */
const Join = Type.Object({ cluster: Type.String(), publicAddress: Type.Optional(Type.String()) });
export type Join = Static<typeof Join>;

/** The same as words of a command line. */
export const joinWords = (join: Join | undefined): readonly string[] => [
  ...(join === undefined ? [] : ['--join', join.cluster]),
  ...(join?.publicAddress === undefined ? [] : ['--public-address', join.publicAddress]),
];

const LabRecord = Type.Object({
  name: Type.String(),
  /** The id of its run. */
  id: Type.String(),
  /** The kind of its machine. */
  machine: Type.String(),
  /** Its run's folder, in which it can be asked. */
  folder: Type.String(),
  /** ISO 8601. */
  started: Type.String(),
  /** The cluster that its worker serves, where that is not the lab's own. */
  join: Type.Optional(Join),
  /** Why it ended, when nobody asked it to. */
  ended: Type.Optional(Type.Object({ at: Type.String(), reason: Type.String() })),
});
export type LabRecord = Static<typeof LabRecord>;

/** The record of a lab that nobody asked to end. */
export type EndedLab = LabRecord & Required<Pick<LabRecord, 'ended'>>;

const registry = (): string => cachePath('standing');
const recordFile = (name: string): string => path.join(registry(), `${name}.json`);
const lockFile = (name: string): string => path.join(registry(), `${name}.lock`);

/** What the process of the lab with this id printed; there until somebody was told of its end. */
export const logFile = (id: string): string => path.join(registry(), `${id}.log`);

/** A name that can be a file's; throws a usage fault for another one. */
export const labName = (text: string): string => {
  if (/^[a-z0-9][a-z0-9-]{0,29}$/.test(text)) return text;
  throw usageFault(`'${text}' is no name of a lab: it takes 1 to 30 of a-z, 0-9 and -`);
};

/** The folder of the records, made where it is missing. */
export const openRegistry = async (): Promise<void> => {
  await fs.mkdir(registry(), { recursive: true, mode: 0o700 });
};

/**
 * Takes a name for the lab of this process, for as long as that lives and does not give it back. Throws a usage fault
 * when a living lab has it.
 */
export const claimName = async (name: string): Promise<Disposable> => {
  await openRegistry();
  const taken = new AbortController();
  const { release } = await openLock(lockFile(name), {
    signal: taken.signal,
    onWait: () => taken.abort(nameTakenFault(name)),
  }).catch((error: unknown) => {
    throw taken.signal.aborted ? taken.signal.reason : error;
  });
  return { [Symbol.dispose]: release };
};

/** The fault of starting a lab under a name that another one has. */
export const nameTakenFault = (name: string): LabError =>
  usageFault(`the lab '${name}' stands already`, [
    `npm run lab -- down --lab ${name}`,
    'npm run lab -- up --lab ANOTHER-NAME',
  ]);

export const saveLab = (record: LabRecord): Promise<void> =>
  writeAtomically(recordFile(record.name), `${JSON.stringify(record)}\n`);

/** Removes what stands here of a lab; its name only when no process has it. */
export const forgetLab = async ({ name, id }: Pick<LabRecord, 'name' | 'id'>): Promise<void> => {
  for (const file of [recordFile(name), logFile(id)]) await fs.rm(file, { force: true });
  await removeUnlocked(lockFile(name));
};

/** A record, and whether the process of its lab lives. */
export type RegisteredLab = LabRecord & { readonly living: boolean };

/** All labs that left a record, the oldest first; those that ended by themselves too, until somebody was told. */
export const registeredLabs = async (): Promise<readonly RegisteredLab[]> => {
  const names = (await fs.readdir(registry()).catch(() => [])).filter((name) => name.endsWith('.json'));
  const found = await Promise.all(
    names.map(async (name) => {
      const text = await fs.readFile(path.join(registry(), name), 'utf8').catch(() => undefined);
      if (text === undefined) return [];
      try {
        const record = parseJson(LabRecord, text, name);
        return [{ ...record, living: await isLocked(lockFile(record.name)) }];
      } catch (error) {
        if (error instanceof LabError) throw error;
        return [];
      }
    }),
  );
  return found.flat().toSorted((a, b) => a.started.localeCompare(b.started));
};

/** Whether the process of the lab with this name lives. */
export const isStanding = (name: string): Promise<boolean> => isLocked(lockFile(name));
