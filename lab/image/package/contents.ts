import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Architecture } from '../../system/elf.ts';
import { labFault } from '../../system/errors.ts';
import type { TreeEntry } from '../../system/packages/deb.ts';
import { fetchTools } from '../../system/packages/tools.ts';
import { provideWasmtime } from '../../wasm/wasmtime.ts';
import { fileEntry, folderTree } from '../entries.ts';
import { completeTree } from '../layer.ts';
import { boardNode } from '../node-program.ts';
import { strip } from '../strip.ts';
import { buildWorker } from '../worker-bundle.ts';

const overlay = fileURLToPath(new URL('../../../buildroot/overlay/', import.meta.url));
const maintainer = fileURLToPath(new URL('../../../packaging/maintainer/', import.meta.url));
const programs = 'usr/lib/oakestra/bin';

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

/** Node and wasmtime, without symbols where this computer has the tool for that. */
const programEntries = async (architecture: Architecture, signal: AbortSignal): Promise<readonly TreeEntry[]> => {
  const wasmtime = await provideWasmtime(architecture, undefined, signal);
  if (architecture === 'aarch64') {
    const [node, tools] = [await boardNode(signal), await fetchTools('image-tools', undefined, signal)];
    return [
      fileEntry(`${programs}/node`, await strip(node, tools, signal), 0o755),
      fileEntry(`${programs}/wasmtime`, await strip(wasmtime.file, tools, signal), 0o755),
    ];
  }
  if (process.arch !== 'x64')
    throw labFault('a package for amd64 holds the Node of this process, which is for another architecture', [
      'make it on an x86-64 computer',
    ]);
  return [
    fileEntry(`${programs}/node`, await fs.readFile(process.execPath), 0o755),
    fileEntry(`${programs}/wasmtime`, await fs.readFile(wasmtime.file), 0o755),
  ];
};

/**
 * Everything that a worker needs on a board but what a distribution has: both daemons, Node, wasmtime, start scripts for
 * systemd and BusyBox, and the configuration to begin with. `scratch` is a folder for files on the way.
 */
export const packageContents = async (
  architecture: Architecture,
  scratch: string,
  signal: AbortSignal,
): Promise<Contents> => {
  const bundles = path.join(scratch, 'bundles');
  await buildWorker(bundles);
  const entries = completeTree([
    ...(await folderTree(overlay)).map(configured),
    ...(await folderTree(bundles, 'usr/lib/oakestra')),
    ...(await programEntries(architecture, signal)),
  ]);
  const conffiles = entries.flatMap(({ path: name, type }) =>
    type === 'file' && name.startsWith('etc/oakestra/') ? [`/${name}`] : [],
  );
  return { entries, conffiles, scripts: await folderTree(maintainer) };
};
