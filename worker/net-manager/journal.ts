import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import Type, { type Static } from 'typebox';
import { parseJson } from '../contract/check.ts';
import { SubnetResult } from '../contract/net-mqtt.ts';
import { replaceFile } from '../system/atomic-file.ts';
import { batched } from '../system/batched.ts';
import { type KeyedMutex, keyedMutex } from '../system/locks/keyed-mutex.ts';
import { ReadWriteLock } from '../system/locks/read-write-lock.ts';
import type { Log } from '../system/log.ts';
import { spareFolder } from '../system/spare-folder.ts';
import { Instance } from './plan/instance.ts';
import { Service } from './plan/overlay/rows.ts';
import { Registration } from './registration.ts';

/** An instance is written down before anything is made for it, and is `ready` once all of it stands. */
const Entry = Type.Object({ instance: Instance, ready: Type.Boolean() });
export type Entry = Static<typeof Entry>;

export const Contents = Type.Object({
  /** The number of changes before; of two journals the one with the higher number is newer. */
  revision: Type.Optional(Type.Integer({ minimum: 0 })),
  registration: Type.Optional(Registration),
  subnet: Type.Optional(SubnetResult),
  /** The id to which the cluster gave the subnet; a journal of an older version has none. */
  subnetOf: Type.Optional(Type.String()),
  topology: Type.Optional(Type.Enum(['bridged', 'veth'])),
  /** Where the cluster's control plane answered last: instances are kept from it also while its name means nothing. */
  cluster: Type.Optional(Type.Array(Type.String())),
  /** The kernel's name for the boot in which `changed` was written; a journal of an older version has none. */
  boot: Type.Optional(Type.String()),
  /** Kernel settings of the whole node that were changed, by their keys under `/proc/sys`. */
  changed: Type.Record(
    Type.String({ pattern: '^net(/[^/.][^/]*)+$' }),
    Type.Object({ was: Type.String(), now: Type.String() }),
    { additionalProperties: false },
  ),
  entries: Type.Array(Entry),
  /** The services that the overlay leads to, or what keeps this node from having one; none where it is off. */
  overlay: Type.Optional(Type.Object({ services: Type.Array(Service), trouble: Type.Optional(Type.String()) })),
});
export type Contents = Static<typeof Contents>;

/** What is left of a journal once nothing of its node stands any more; its registration and instances stay. */
export const withoutNode = ({
  subnet: _,
  subnetOf: __,
  topology: ___,
  overlay: ____,
  ...rest
}: Contents): Contents => ({
  ...rest,
  changed: {},
});

/** What this program owns in the kernel, kept on disk so that a killed process's successor can take it over. */
export type Journal = {
  readonly contents: Contents;
  /** The state folder. */
  readonly folder: string;
  /**
   * Changes the contents at once and resolves when they are written as well as they can be: true where they belong. A
   * new instance is begun only then.
   */
  readonly update: (change: (contents: Contents) => Contents) => Promise<boolean>;
  /** Held for reading while single instances are made or removed, for writing while the node's part changes as a whole. */
  readonly lock: ReadWriteLock;
  /** Requests of one instance run one after the other, also when the session that took one has been replaced. */
  readonly inTurn: KeyedMutex;
};

/** How often it is tried whether a folder that could not be written can be again, in ms. */
const againMs = 5000;

const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

/** The contents of a journal's file; undefined when there is none or when it can't be understood, which is logged. */
const readContents = async (path: string, log: Log): Promise<Contents | undefined> => {
  try {
    return parseJson(Contents, await readFile(path, 'utf8'), path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.warn(`journal not used: ${(error as Error).message}`);
    return undefined;
  }
};

/**
 * Opens the journal in a folder. One that can't be read is put aside by being overwritten, and the log says so. While
 * the folder can't be written, because its disk is full or read-only, the journal is kept in `spare`, in memory, and
 * goes home as soon as it can.
 */
export const openJournal = async (
  folder: string,
  log: Log,
  spare = spareFolder('net-manager', folder),
): Promise<Journal> => {
  const [home, away] = [join(folder, 'journal.json'), join(spare, 'journal.json')];
  const [atHome, elsewhere] = [await readContents(home, log), await readContents(away, log)];
  let isAway = elsewhere !== undefined;
  const isNewer = elsewhere && (elsewhere.revision ?? 0) > (atHome?.revision ?? 0);
  let contents: Contents = (isNewer ? elsewhere : atHome) ?? { changed: {}, entries: [] };
  /** What a loss of power must not take: the rest of the contents is of no use after one. */
  let durable = isNewer ? undefined : atHome?.registration;
  let troubled = false;
  let waiting = false;

  const keepAway = async (text: string): Promise<void> => {
    try {
      await mkdir(spare, { recursive: true, mode: 0o700 });
      await replaceFile(away, text, { mode: 0o600 });
      isAway = true;
    } catch (error) {
      if (!troubled) log.error(`the journal is in memory only: ${(error as Error).message}`);
    }
  };

  const save = async (now: Contents): Promise<boolean> => {
    const text = JSON.stringify(now);
    try {
      await replaceFile(home, text, { mode: 0o600, durable: !isSame(durable, now.registration) });
      durable = now.registration;
      if (isAway) await rm(away, { force: true });
      isAway = false;
      if (troubled) log.info(`${folder} can be written again`);
      troubled = false;
      return true;
    } catch (error) {
      const reason = (error as Error).message;
      await keepAway(text);
      if (!troubled)
        log.error(`${reason}; instances go on, new ones are refused until the state folder ${folder} can be written`);
      troubled = true;
      if (!waiting)
        setTimeout(() => {
          waiting = false;
          void write(contents);
        }, againMs).unref();
      waiting = true;
      return false;
    }
  };
  const write = batched(async (versions: readonly Contents[]) => {
    const last = versions.at(-1);
    const written = last === undefined || (await save(last));
    return versions.map(() => written);
  });
  return {
    get contents() {
      return contents;
    },
    folder,
    lock: new ReadWriteLock(),
    inTurn: keyedMutex(),
    update: async (change) => {
      contents = { ...change(contents), revision: (contents.revision ?? 0) + 1 };
      return await write(contents);
    },
  };
};
