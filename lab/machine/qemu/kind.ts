import { openBuildrootImage } from '../../image/buildroot/boot.ts';
import { buildDebianImage } from '../../image/debian/build.ts';
import type { BoardName } from '../../image/debian/parts.ts';
import type { BootImage } from '../../image/image.ts';
import { buildEmulatedCard } from '../../image/sd/emulated.ts';
import { hostMachine } from '../../system/elf.ts';
import { usageFault } from '../../system/errors.ts';
import type { MachineKind, MachineOptions } from '../kind.ts';
import { accelerate, isVirtualized } from './accelerator.ts';
import { prepareCounted } from './counted-guest.ts';
import type { MachineDefinition } from './definitions.ts';
import { keptEmulator } from './kept.ts';
import { kvmObstacle } from './kvm.ts';
import { emulatedCapabilities, emulatorProgram, startEmulated } from './qemu.ts';
import { savedBootKey } from './saved/restore.ts';

/** The image that the user chose for a board, built or opened. */
const imageFor = (
  board: BoardName,
  { image, boot, wasmtime }: MachineOptions,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<BootImage> => {
  const fromCard = boot === 'sd';
  if (fromCard && board !== 'raspi4') throw usageFault('only the machine raspi4b boots from an SD card');
  if (image === 'buildroot' && board === 'virt-x86_64')
    throw usageFault('there is a Buildroot image for virt and raspi4b alone: leave out --image');
  if (image === 'buildroot' && wasmtime !== undefined)
    throw usageFault('the Buildroot image has the wasmtime that it was built with: leave out --wasmtime');
  if (image === 'buildroot') return openBuildrootImage({ board, fromCard, signal });
  if (!fromCard) return buildDebianImage({ board, wasmtime, say, signal });
  return buildEmulatedCard({ wasmtime, say, signal });
};

const countedPart = (definition: MachineDefinition, board: BoardName): Pick<MachineKind, 'prepareCounted'> => {
  const { counted } = definition;
  if (counted === undefined) return {};
  return {
    prepareCounted: (options, entries, folder, say, signal) =>
      prepareCounted({ definition: { ...definition, counted }, board, options, entries, folder, say, signal }),
  };
};

/** A machine of QEMU's that boots a board's quick image. */
export const emulatedKind = (definition: MachineDefinition, board: BoardName): MachineKind => ({
  name: definition.name,
  description: `QEMU, machine ${definition.machine}, ${definition.architecture}, emulated${definition.virtualized ? ' or virtualized' : ''}`,
  architecture: definition.architecture,
  fidelity: 'emulated',
  capabilities: emulatedCapabilities,
  requires: ['mirror'],
  bootsImages: true,
  reachesOutside: true,
  openKept: keptEmulator,
  ...countedPart(definition, board),
  prepare: async (options, say, signal) => {
    const { qemu, fresh, accel = 'auto' } = options;
    const emulator = await emulatorProgram({ definition, qemu, signal });
    const { definition: started, note: emulatedNote } = await accelerate(
      accel,
      definition,
      hostMachine(),
      (virtualized) => kvmObstacle(virtualized, emulator, signal),
    );
    const image = await imageFor(board, options, say, signal);
    // an emulator of the user's own has libraries and firmware that no digest tells of, and a processor is this computer's
    const isSavable = fresh !== true && qemu === undefined && !isVirtualized(started);
    const key = isSavable ? savedBootKey(definition, image, emulator.inputs[0]?.sha256) : undefined;
    return {
      unlocked: [...image.unlocked, ...emulator.unlocked],
      inputs: [...image.inputs, ...emulator.inputs],
      start: (run, ends, note, port) => {
        if (emulatedNote !== undefined) note(emulatedNote);
        // one of several has a host name of its own, and a link to the others
        const saving = key === undefined || port !== undefined ? undefined : { key, note };
        return startEmulated({ definition: started, image, run, qemu, port, saving, signal: ends });
      },
    };
  },
});
