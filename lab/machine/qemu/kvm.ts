import fs from 'node:fs/promises';
import { execa } from 'execa';
import type { Program } from '../../system/packages/tools.ts';
import type { Obstacle } from './accelerator.ts';
import type { MachineDefinition } from './definitions.ts';

/** KVM's device (Linux: Documentation/virt/kvm/api). */
const kvmDevice = '/dev/kvm';
const startMs = 20_000;

/** Who may open a device; `group` is a name, or a number where it has none. */
export type DeviceOwner = { readonly group: string; readonly mode: number };

const groupReadsAndWrites = 0o060;

/** Why a device could not be opened: by the system's error `code`, and by whose it is, where it is there at all. */
export const deviceObstacle = (device: string, code: string | undefined, owner: DeviceOwner | undefined): Obstacle => {
  if (code === 'ENOENT')
    return {
      why: `there is no ${device}`,
      next: [
        "switch on virtualization in the firmware's settings, or nested virtualization where this is a virtual machine",
      ],
    };
  if (code === 'EPERM')
    return {
      why: `${device} is forbidden here`,
      next: ['give the container the device: docker run --device /dev/kvm'],
    };
  if (code === 'EACCES' && owner !== undefined) {
    const { group, mode } = owner;
    const isForGroup = (mode & groupReadsAndWrites) === groupReadsAndWrites;
    return {
      why: `no permission to open ${device}, which is for ${isForGroup ? `the group ${group}` : 'the administrator alone'}`,
      next: isForGroup
        ? [`sudo usermod -aG ${group} "$USER", and log in again`]
        : [`ask the administrator to open ${device} to a group`],
    };
  }
  return { why: `${device} cannot be opened (${code ?? 'unknown error'})`, next: [] };
};

const groupName = async (id: number): Promise<string> => {
  const text = await fs.readFile('/etc/group', 'utf8').catch(() => '');
  const entry = text
    .split('\n')
    .map((line) => line.split(':'))
    .find(([, , number]) => number === `${id}`);
  return entry?.[0] ?? `${id}`;
};

const ownerOf = async (device: string): Promise<DeviceOwner | undefined> => {
  const found = await fs.stat(device).catch(() => undefined);
  return found && { group: await groupName(found.gid), mode: found.mode };
};

/** What stands between this process and KVM's device, which it has to read and write; undefined where nothing does. */
export const openObstacle = async (device: string = kvmDevice): Promise<Obstacle | undefined> => {
  try {
    await using _ = await fs.open(device, 'r+');
    return undefined;
  } catch (error) {
    return deviceObstacle(device, (error as NodeJS.ErrnoException).code, await ownerOf(device));
  }
};

/** The line of an emulator's output that says why it ended. */
const complaintIn = (output: string): string | undefined =>
  output
    .split('\n')
    .find((line) => /\berror\b|failed|could not/i.test(line))
    ?.replace(/^.*?qemu-system-\w+: (error: )?/, '')
    .trim();

/**
 * Whether KVM runs a machine here, by a start of QEMU that executes nothing: a device that can be opened may still belong
 * to a KVM that cannot make such a processor. Undefined where it does.
 */
export const kvmObstacle = async (
  { machine, processor }: MachineDefinition,
  { program, firmware }: { readonly program: Program; readonly firmware: readonly string[] },
  signal: AbortSignal,
  device: string = kvmDevice,
): Promise<Obstacle | undefined> => {
  const obstacle = await openObstacle(device);
  if (obstacle !== undefined) return obstacle;
  const args = [
    ...firmware.flatMap((folder) => ['-L', folder]),
    ...['-M', machine, ...processor, '-accel', 'kvm'],
    ...['-nodefaults', '-display', 'none', '-S', '-qmp', 'stdio'],
  ];
  const {
    exitCode,
    stderr,
    timedOut,
    signal: killedBy,
  } = await execa(program.file, [...program.args, ...args], {
    input: ['qmp_capabilities', 'quit'].map((execute) => `${JSON.stringify({ execute })}\n`).join(''),
    ...{ reject: false, cancelSignal: signal, timeout: startMs },
  });
  signal.throwIfAborted();
  if (exitCode === 0) return undefined;
  const why = timedOut
    ? `it was not done after ${startMs / 1000} s`
    : (complaintIn(stderr) ?? `it ended with ${exitCode ?? killedBy}`);
  return { why: `QEMU cannot start such a processor with it (${why})`, next: [] };
};
