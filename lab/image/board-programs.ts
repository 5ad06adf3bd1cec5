import fs from 'node:fs/promises';
import { type Architecture, hostMachine } from '../system/elf.ts';
import { fetchBinutils } from '../system/packages/binutils.ts';
import type { TreeEntry } from '../system/packages/deb.ts';
import { provideWasmtime, type Wasmtime } from '../wasm/wasmtime.ts';
import { fileEntry } from './entries.ts';
import { boardNode } from './node-program.ts';
import { strip } from './strip.ts';

/** The programs that the worker needs, for one architecture. `node` is a path. */
export type BoardPrograms = {
  readonly architecture: Architecture;
  readonly node: string;
  readonly wasmtime: Wasmtime;
};

/** Node for a board: the lock's own, or this process's for an x86-64 board where this computer is one, too. */
const nodeFor = (architecture: Architecture, signal: AbortSignal): Promise<string> =>
  architecture === 'x86_64' && hostMachine() === 'x86_64'
    ? Promise.resolve(process.execPath)
    : boardNode(architecture, signal);

/** Gets the programs for a board; `wasmtimeWanted` is a version or a path, and the pinned one when left out. */
export const boardPrograms = async (
  architecture: Architecture,
  wasmtimeWanted: string | undefined,
  signal: AbortSignal,
): Promise<BoardPrograms> => {
  const [node, wasmtime] = await Promise.all([
    nodeFor(architecture, signal),
    provideWasmtime(architecture, wasmtimeWanted, signal),
  ]);
  return { architecture, node, wasmtime };
};

/** The programs as files in a folder of the board, without symbols where this computer has the tool for that. */
export const programEntries = async (
  { architecture, node, wasmtime }: BoardPrograms,
  folder: string,
  signal: AbortSignal,
): Promise<readonly TreeEntry[]> => {
  const tools = architecture === 'aarch64' ? await fetchBinutils(architecture, signal) : undefined;
  const bytes = (program: string) => (tools ? strip(program, tools, signal) : fs.readFile(program));
  return [
    fileEntry(`${folder}/node`, await bytes(node), 0o755),
    fileEntry(`${folder}/wasmtime`, await bytes(wasmtime.file), 0o755),
  ];
};
