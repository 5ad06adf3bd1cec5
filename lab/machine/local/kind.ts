import { hostMachine } from '../../system/elf.ts';
import { provideWasmtime } from '../../wasm/wasmtime.ts';
import type { MachineKind } from '../kind.ts';
import { keptBoard } from './kept.ts';
import { localCapabilities, startLocal, wasmtimeInput } from './local.ts';
import { enterNamespaces } from './namespaces.ts';

/** A board out of namespaces. */
export const localKind: MachineKind = {
  name: 'local',
  description: "namespaces on this computer's own kernel",
  architecture: hostMachine(),
  fidelity: 'native',
  capabilities: localCapabilities,
  requires: ['namespaces'],
  openKept: keptBoard,
  alone: "boards cannot be joined there: the kernel forbids the overlay's tunnel (FOU) in a user namespace",
  enter: async ({ wasmtime }, signal) => {
    // in there is no way to the internet
    await provideWasmtime(hostMachine(), wasmtime, signal);
    await enterNamespaces(signal);
  },
  prepare: async ({ wasmtime }, _say, signal) => {
    const program = await provideWasmtime(hostMachine(), wasmtime, signal);
    return {
      unlocked: [],
      inputs: [wasmtimeInput(program)],
      start: (run, started) => startLocal(program, run, started),
    };
  },
};
