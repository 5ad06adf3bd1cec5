import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Type, { type Static } from 'typebox';
import { parseJson } from '../contract/check.ts';
import { SubnetResult } from '../contract/net-mqtt.ts';
import { replaceFile } from '../system/atomic-file.ts';
import { batched } from '../system/batched.ts';
import type { Log } from '../system/log.ts';
import { Instance } from './plan/instance.ts';
import { Registration } from './registration.ts';

/** An instance is written down before anything is made for it, and is `ready` once all of it stands. */
const Entry = Type.Object({ instance: Instance, ready: Type.Boolean() });
export type Entry = Static<typeof Entry>;

export const Contents = Type.Object({
  registration: Type.Optional(Registration),
  subnet: Type.Optional(SubnetResult),
  /** The id to which the cluster gave the subnet; a journal of an older version has none. */
  subnetOf: Type.Optional(Type.String()),
  topology: Type.Optional(Type.Enum(['bridged', 'veth'])),
  /** The kernel's name for the boot in which `changed` was written; a journal of an older version has none. */
  boot: Type.Optional(Type.String()),
  /** Kernel settings of the whole node that were changed, by their keys under `/proc/sys`. */
  changed: Type.Record(
    Type.String({ pattern: '^net(/[^/.][^/]*)+$' }),
    Type.Object({ was: Type.String(), now: Type.String() }),
    { additionalProperties: false },
  ),
  entries: Type.Array(Entry),
});
export type Contents = Static<typeof Contents>;

/** What this program owns in the kernel, kept on disk so that a killed process's successor can take it over. */
export type Journal = {
  readonly contents: Contents;
  /** Changes the contents at once and resolves when the file has them. */
  readonly update: (change: (contents: Contents) => Contents) => Promise<void>;
};

/** Opens the journal in a folder. One that can't be read is put aside by being overwritten, and the log says so. */
export const openJournal = async (directory: string, log: Log): Promise<Journal> => {
  const path = join(directory, 'journal.json');
  let contents: Contents = { changed: {}, entries: [] };
  try {
    contents = parseJson(Contents, await readFile(path, 'utf8'), path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.warn(`journal not used: ${(error as Error).message}`);
  }
  const write = batched(async (versions: readonly Contents[]) => {
    await replaceFile(path, JSON.stringify(versions.at(-1)), { mode: 0o600 });
    return versions;
  });
  return {
    get contents() {
      return contents;
    },
    update: async (change) => {
      contents = change(contents);
      await write(contents);
    },
  };
};
