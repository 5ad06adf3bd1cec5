import { labFault, usageFault } from '../system/errors.ts';
import { nearest } from '../system/nearest.ts';
import { ownMachines } from './hardware/definition.ts';
import { hardwareKind } from './hardware/kind.ts';
import type { KeptMachine } from './kept.ts';
import type { MachineKind } from './kind.ts';
import { localKind } from './local/kind.ts';
import { raspi4b, virt, virtX86 } from './qemu/definitions.ts';
import { emulatedKind } from './qemu/kind.ts';

const kinds: readonly MachineKind[] = [
  emulatedKind(virt, 'virt'),
  emulatedKind(virtX86, 'virt-x86_64'),
  emulatedKind(raspi4b, 'raspi4'),
  localKind,
];

/** Names of the machines that need no machine file. */
export const machineNames: readonly string[] = kinds.map(({ name }) => name);

/** The machine with a name; undefined where there is none. */
export const findMachineKind = (name: string): MachineKind | undefined =>
  kinds.find((kind) => kind.name === name) ?? hardwareKind(name);

/** The machine with a name: one of the lab's, or one of the user's own. Throws a usage fault that names the nearest. */
export const machineKind = (name: string): MachineKind => {
  const found = findMachineKind(name);
  if (!found) throw usageFault(`no machine '${name}'${nearest(name, [...machineNames, ...ownMachines()])}`);
  return found;
};

/**
 * The machine that was left running by the run with this folder, whatever its kind; `exec` runs programs on it where
 * another process of the lab has it in use. Throws a lab fault where nothing is left of it.
 */
export const openKept = async (folder: string, exec?: KeptMachine['exec']): Promise<KeptMachine> => {
  for (const kind of kinds) {
    const kept = await kind.openKept?.(folder, exec);
    if (kept !== undefined) return kept;
  }
  throw labFault('this kept machine no longer exists', ['npm run lab -- clean --kept']);
};
