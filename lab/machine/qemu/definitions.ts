import Type, { type Static } from 'typebox';
import raspi4bJson from '../../../qemu/raspi4b.json' with { type: 'json' };
import virtJson from '../../../qemu/virt.json' with { type: 'json' };
import virtX86Json from '../../../qemu/virt-x86_64.json' with { type: 'json' };
import { parse } from '../../../worker/contract/check.ts';

/** What the uplink and the agent's port are attached to. */
const Bus = Type.Union([Type.Literal('virtio'), Type.Literal('usb')]);
export type Bus = Static<typeof Bus>;

/** What is different when instructions are counted: one processor, and no devices. */
const Counted = Type.Object({
  processor: Type.Array(Type.String()),
  append: Type.String(),
  /** The serial line that the result leaves on: a second one, or the console where that is the only one. */
  result: Type.Union([Type.Literal('second'), Type.Literal('console')]),
});

/** A machine definition out of the folder `qemu/`. */
const MachineDefinition = Type.Object({
  /** What the lab calls it. */
  name: Type.String(),
  architecture: Type.Enum(['aarch64', 'x86_64']),
  /** QEMU's machine, with its properties. */
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
  /** What is different under KVM; left out for a machine that QEMU can only emulate. */
  virtualized: Type.Optional(
    Type.Object({
      machine: Type.String(),
      processor: Type.Array(Type.String()),
      slowness: Type.Number({ minimum: 1 }),
    }),
  ),
  /** Left out where instructions cannot be counted. */
  counted: Type.Optional(Counted),
});
export type MachineDefinition = Static<typeof MachineDefinition>;

/** A machine whose instructions can be counted. */
const CountedDefinition = Type.Intersect([MachineDefinition, Type.Object({ counted: Counted })]);
export type CountedDefinition = Static<typeof CountedDefinition>;

export const virt: CountedDefinition = parse(CountedDefinition, virtJson, 'qemu/virt.json');
export const virtX86: MachineDefinition = parse(MachineDefinition, virtX86Json, 'qemu/virt-x86_64.json');
export const raspi4b: CountedDefinition = parse(CountedDefinition, raspi4bJson, 'qemu/raspi4b.json');
