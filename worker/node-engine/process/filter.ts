import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from '../../system/atomic-file.ts';
import { explain } from '../../system/explain.ts';
import type { Log } from '../../system/log.ts';
import { run } from '../../system/run.ts';
import { dropPrivileges } from '../../system/users.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { systemCallFilter } from './seccomp.ts';

const tryMs = 60_000;
const name = 'seccomp.bpf';

/** Writes a filter unless the file has it already, perhaps on a disk that is full or read-only by now. */
const write = async (file: string, filter: Buffer): Promise<void> => {
  const known = await readFile(file).catch(() => undefined);
  if (known?.equals(filter) !== true) await replaceFile(file, filter, { mode: 0o600 });
};

/** Writes a filter of {@link installFilter} again where somebody has removed it. */
export const keepFilter = async (file: string | undefined): Promise<void> => {
  const filter = systemCallFilter(process.arch);
  if (file !== undefined && filter !== undefined) await write(file, filter);
};

/** Writes the filter into `folder`, or into `spare` where that cannot be; resolves with the file. */
const place = async (filter: Buffer, folder: string, spare: string): Promise<string> => {
  const [file, other] = [join(folder, name), join(spare, name)];
  try {
    await write(file, filter);
    return file;
  } catch {
    await write(other, filter);
    return other;
  }
};

/**
 * Writes the filter of instances' system calls into `folder`, or into `spare`, in memory, while that cannot be written,
 * and tries whether this node can set it: setpriv does so since util-linux 2.41. Resolves with the file; undefined where
 * it cannot, which the log says.
 */
export const installFilter = async (
  folder: string,
  spare: string,
  runtime: Pick<Runtime, 'path' | 'user'>,
  log: Log,
): Promise<string | undefined> => {
  const filter = systemCallFilter(process.arch);
  if (filter === undefined) return undefined;
  try {
    const file = await place(filter, folder, spare);
    await run([...dropPrivileges(runtime.user, file), runtime.path, '--version'], { timeoutMs: tryMs });
    return file;
  } catch (error) {
    const reason = explain(error);
    const known = /unrecognized option|invalid option/.test(reason);
    log.info(
      `instances run without a filter of system calls: ${known ? 'setpriv has none before util-linux 2.41' : reason}`,
    );
    return undefined;
  }
};
