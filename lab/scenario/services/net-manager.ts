import fs from 'node:fs/promises';
import path from 'node:path';
import type { Machine } from '../../machine/machine.ts';
import type { Input } from '../../report/model/results.ts';
import { type Architecture, elfMachine } from '../../system/elf.ts';
import { messageOf, usageFault } from '../../system/errors.ts';
import { sha256 } from '../../system/files/digest.ts';

/** A NetManager that takes the place of the lab's own on a board. */
export type OtherNetManager = { readonly name: string; readonly bytes: Uint8Array; readonly sha256: string };

/** Where a board starts its NetManager from. */
const place = '/usr/bin/NetManager';

/**
 * Reads a NetManager that the user names. Throws a usage fault where it can be no program of a board: it is for another
 * architecture, or neither an ELF program nor a script.
 */
export const openNetManager = async (file: string, architecture: Architecture): Promise<OtherNetManager> => {
  const bytes = await fs.readFile(file).catch((error: unknown) => {
    throw usageFault(`cannot read the NetManager ${file}: ${messageOf(error)}`);
  });
  const isScript = bytes.subarray(0, 2).toString('latin1') === '#!';
  const machine = isScript ? architecture : await elfMachine(file);
  if (machine !== architecture)
    throw usageFault(
      `${file} cannot be the board's NetManager: it is ${machine === undefined ? 'no program' : `for ${machine}`}`,
      [`give a program for ${architecture}, or a script that begins with #!`],
    );
  return { name: path.basename(file), bytes, sha256: sha256(bytes) };
};

/** Puts it in the place of the board's own, before that is started. */
export const installNetManager = (machine: Machine, { bytes }: OtherNetManager): Promise<void> =>
  machine.writeFile(place, bytes, 0o755);

/** It as one of the things that a run is made of. */
export const netManagerInput = ({ name, sha256: digest }: OtherNetManager): Input => ({
  ...{ name: 'NetManager of the second board', version: name, sha256: digest },
});
