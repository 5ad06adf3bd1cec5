import type { Architecture } from '../../system/elf.ts';
import { labFault, usageFault } from '../../system/errors.ts';
import type { AcceleratorChoice } from '../kind.ts';
import type { MachineDefinition } from './definitions.ts';

/** Why KVM cannot run a guest here, and what a person can do about it. */
export type Obstacle = { readonly why: string; readonly next: readonly string[] };

/** What is started after all; `note` says why a board is emulated although KVM might have run it. */
export type Accelerated = { readonly definition: MachineDefinition; readonly note?: string };

/** Whether a machine's figures are those of this computer's processor. */
export const isVirtualized = ({ accelerator }: Pick<MachineDefinition, 'accelerator'>): boolean =>
  accelerator === 'kvm';

const emulateInstead = (choice: AcceleratorChoice, definition: MachineDefinition, why: string): Accelerated => {
  if (choice === 'kvm') throw usageFault(`${why}: leave out --accel kvm`);
  return { definition };
};

/**
 * A machine as it is started: by KVM where that was asked for or, for `auto`, where it is usable; else emulated by TCG.
 * `tryKvm` is asked only where the guest has the architecture of this computer, `host`. Throws a usage fault where KVM was
 * asked for and can never run such a machine here, and a lab fault with the reason where it is not usable.
 */
export const accelerate = async (
  choice: AcceleratorChoice,
  definition: MachineDefinition,
  host: Architecture,
  tryKvm: (virtualized: MachineDefinition) => Promise<Obstacle | undefined>,
): Promise<Accelerated> => {
  const { name, architecture, virtualized } = definition;
  if (choice === 'tcg') return { definition };
  if (virtualized === undefined)
    return emulateInstead(choice, definition, `${name} is a board that QEMU can only emulate`);
  if (architecture !== host)
    return emulateInstead(
      choice,
      definition,
      `KVM runs guests of this computer's own architecture, ${host}, and ${name} is ${architecture}`,
    );
  const faster = { ...definition, ...virtualized, accelerator: 'kvm' };
  const obstacle = await tryKvm(faster);
  if (obstacle === undefined) return { definition: faster };
  const { why, next } = obstacle;
  if (choice === 'kvm')
    throw labFault(`KVM cannot be used: ${why}`, [...next, 'leave out --accel kvm: TCG emulates the board then']);
  return { definition, note: `The board was emulated (tcg): KVM cannot be used, ${why}.` };
};
