import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Architecture } from '../../system/elf.ts';
import type { TreeEntry } from '../../system/packages/deb.ts';
import { boardPrograms, programEntries } from '../board-programs.ts';
import { folderTree } from '../entries.ts';
import { completeTree } from '../layer.ts';
import { workerEntries } from '../worker-entries.ts';

const maintainer = fileURLToPath(new URL('../../../packaging/maintainer/', import.meta.url));

/** What is in a worker's package. */
export type Contents = {
  /** What it puts below `/`. */
  readonly entries: readonly TreeEntry[];
  /** Those that belong to the administrator afterwards. */
  readonly conffiles: readonly string[];
  /** What runs before and after (deb-preinst(5) and so on). */
  readonly scripts: readonly TreeEntry[];
};

/** What is in `etc/oakestra` may hold credentials. */
const configured = (entry: TreeEntry): TreeEntry =>
  /^etc\/oakestra(?:\/|$)/.test(entry.path) ? { ...entry, mode: entry.type === 'directory' ? 0o700 : 0o600 } : entry;

/**
 * Everything that a worker needs on a board but what a distribution has: both daemons, Node, wasmtime, start scripts for
 * systemd and BusyBox, and the configuration to begin with. `scratch` is a folder for files on the way.
 */
export const packageContents = async (
  architecture: Architecture,
  scratch: string,
  signal: AbortSignal,
): Promise<Contents> => {
  const programs = await boardPrograms(architecture, undefined, signal);
  const entries = completeTree([
    ...(await workerEntries(path.join(scratch, 'bundles'))).map(configured),
    ...(await programEntries(programs, 'usr/lib/oakestra/bin', signal)),
  ]);
  const conffiles = entries.flatMap(({ path: name, type }) =>
    type === 'file' && name.startsWith('etc/oakestra/') ? [`/${name}`] : [],
  );
  return { entries, conffiles, scripts: await folderTree(maintainer) };
};
