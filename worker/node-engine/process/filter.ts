import { existsSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { explain } from '../../system/explain.ts';
import type { Log } from '../../system/log.ts';
import { run } from '../../system/run.ts';
import { dropPrivileges } from '../../system/users.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { systemCallFilter } from './seccomp.ts';

const tryMs = 60_000;

const write = async (file: string, filter: Buffer): Promise<void> => {
  await writeFile(`${file}.part`, filter, { mode: 0o600 });
  await rename(`${file}.part`, file);
};

/** Writes a filter of {@link installFilter} again where somebody has removed it. */
export const keepFilter = async (file: string | undefined): Promise<void> => {
  const filter = systemCallFilter(process.arch);
  if (file === undefined || filter === undefined || existsSync(file)) return;
  await write(file, filter);
};

/**
 * Writes the filter of instances' system calls into `folder` and tries whether this node can set it: setpriv does so
 * since util-linux 2.41. Resolves with the file; undefined where it cannot, which the log says.
 */
export const installFilter = async (
  folder: string,
  runtime: Pick<Runtime, 'path' | 'user'>,
  log: Log,
): Promise<string | undefined> => {
  const filter = systemCallFilter(process.arch);
  if (filter === undefined) return undefined;
  const file = join(folder, 'seccomp.bpf');
  try {
    await write(file, filter);
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
