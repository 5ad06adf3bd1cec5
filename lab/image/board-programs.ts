import fs from 'node:fs/promises';
import { type Architecture, hostMachine } from '../system/elf.ts';
import { labFault } from '../system/errors.ts';
import type { TreeEntry } from '../system/packages/deb.ts';
import { fetchTools } from '../system/packages/tools.ts';
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

/** Node for a board: the lock's own for Arm, this process's where the board is of the same kind. */
const nodeFor = (architecture: Architecture, signal: AbortSignal): Promise<string> => {
  if (architecture === 'aarch64') return boardNode(signal);
  if (architecture === hostMachine()) return Promise.resolve(process.execPath);
  throw labFault(`there is no Node for a board of ${architecture} here`, ['run the lab on a computer of that kind']);
};

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
  const tools = architecture === 'aarch64' ? await fetchTools('image-tools', undefined, signal) : undefined;
  const bytes = (program: string) => (tools ? strip(program, tools, signal) : fs.readFile(program));
  return [
    fileEntry(`${folder}/node`, await bytes(node), 0o755),
    fileEntry(`${folder}/wasmtime`, await bytes(wasmtime.file), 0o755),
  ];
};
