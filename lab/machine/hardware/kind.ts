import type { MachineKind } from '../kind.ts';
import { readMachine } from './definition.ts';
import { examineHardware } from './examine.ts';
import { hardwareCapabilities, startHardware } from './hardware.ts';
import { placeOf } from './resolve.ts';

/** A board of the user's own, by its machine file; undefined when there is none of that name. */
export const hardwareKind = (name: string): MachineKind | undefined => {
  const definition = readMachine(name);
  if (!definition) return undefined;
  return {
    name,
    description: `a board reached by ssh: ${definition.ssh ?? `the one of ${placeOf(definition)}`}`,
    architecture: definition.architecture ?? 'aarch64',
    fidelity: 'hardware',
    capabilities: hardwareCapabilities,
    requires: ['ssh'],
    alone: 'it is one board, and boards of your own are not joined by the lab',
    examine: (signal) => examineHardware(name, definition, signal),
    prepare: async ({ wasmtime }, say) => ({
      unlocked: [],
      inputs: [],
      start: (run, signal, note) => startHardware({ name, definition, run, wasmtime, say, note, signal }),
    }),
  };
};
