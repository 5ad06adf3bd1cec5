import Type, { type Static } from 'typebox';
import raspi4bJson from '../../../qemu/raspi4b.json' with { type: 'json' };
import virtJson from '../../../qemu/virt.json' with { type: 'json' };
import { parse } from '../../../worker/contract/check.ts';

/** What the uplink and the agent's port are attached to. */
const Bus = Type.Union([Type.Literal('virtio'), Type.Literal('usb')]);
export type Bus = Static<typeof Bus>;

/** A machine definition out of the folder `qemu/`. */
const MachineDefinition = Type.Object({
  machine: Type.String(),
  /** Arguments that choose the processor, where the machine has a choice. */
  processor: Type.Array(Type.String()),
  memory: Type.String(),
  accelerator: Type.String(),
  append: Type.String(),
  bus: Bus,
  /** Whether it has a clock that knows the time when it starts. A Raspberry Pi has none. */
  clock: Type.Boolean(),
  /** How much longer than on native hardware things may take. */
  slowness: Type.Number({ minimum: 1 }),
  /** Whether QEMU can save and restore all its devices; usb-net has no saved form. */
  savable: Type.Boolean(),
  /** What is different when instructions are counted: one processor, and no devices. */
  counted: Type.Object({
    processor: Type.Array(Type.String()),
    append: Type.String(),
    /** The serial line that the result leaves on: a second one, or the console where that is the only one. */
    result: Type.Union([Type.Literal('second'), Type.Literal('console')]),
  }),
});
export type MachineDefinition = Static<typeof MachineDefinition>;

export const virt: MachineDefinition = parse(MachineDefinition, virtJson, 'qemu/virt.json');
export const raspi4b: MachineDefinition = parse(MachineDefinition, raspi4bJson, 'qemu/raspi4b.json');
