import path from 'node:path';
import type { BootImage } from '../../image/image.ts';
import type { Input } from '../../report/model/results.ts';
import { messageOf, usageFault } from '../../system/errors.ts';
import { fileDigest } from '../../system/files/digest.ts';
import { fetchTools, type Program } from '../../system/packages/tools.ts';
import type { RunFolder } from '../../system/runs.ts';
import { type Capability, execOk, type Machine, networkCapabilities } from '../machine.ts';
import type { SegmentPort } from '../segment/segment.ts';
import { userNetwork } from '../user-network.ts';
import { isVirtualized } from './accelerator.ts';
import { type BootedEmulator, bootEmulator } from './boot.ts';
import { emulatorArguments } from './command.ts';
import type { MachineDefinition } from './definitions.ts';
import { exposePort, forwardPort, type TellMonitor } from './forward.ts';
import { restoreOrBoot, type Saving } from './saved/restore.ts';

/** What an emulated board can do. */
export const emulatedCapabilities: ReadonlySet<Capability> = new Set(networkCapabilities);
const virtualizedCapabilities: ReadonlySet<Capability> = new Set([...networkCapabilities, 'performance']);

export type EmulatedOptions = {
  readonly definition: MachineDefinition;
  readonly image: BootImage;
  readonly run: Pick<RunFolder, 'id' | 'folder' | 'env' | 'lock'>;
  /** A QEMU of the user's own, used in place of the pinned one. */
  readonly qemu?: string | undefined;
  /** Its place on a segment with other boards. */
  readonly port?: SegmentPort | undefined;
  /** Has it restored from its saved boot, or saved where there is none; it is always booted when left out. */
  readonly saving?: Saving | undefined;
  readonly signal: AbortSignal;
};

const digestOf = (qemu: string): Promise<string> =>
  fileDigest(qemu).catch((error: unknown) => {
    throw usageFault(`--qemu ${qemu} cannot be read: ${messageOf(error)}`);
  });

/** Where the pinned emulators are, by the architecture that they emulate. */
const emulators = {
  aarch64: { set: 'qemu', name: 'qemu-system-arm', firmware: ['usr/share/qemu'] },
  x86_64: { set: 'qemu-x86', name: 'qemu-system-x86', firmware: ['usr/share/qemu', 'usr/share/seabios'] },
} as const;

/** The emulator: the pinned one from its own package set, or the one that the user named. */
export const emulatorProgram = async ({
  definition: { architecture },
  qemu,
  signal,
}: Pick<EmulatedOptions, 'definition' | 'qemu' | 'signal'>) => {
  const { set, name, firmware } = emulators[architecture];
  if (qemu !== undefined)
    return {
      program: { file: path.resolve(qemu), args: [] },
      firmware: firmware.map((folder) => `/${folder}`),
      unlocked: [],
      inputs: [{ name: 'qemu', detail: path.basename(qemu), sha256: await digestOf(qemu) }],
    };
  const tools = await fetchTools(set, undefined, signal);
  return {
    program: tools.program(`usr/bin/qemu-system-${architecture}`),
    firmware: firmware.map((folder) => path.join(tools.root, folder)),
    unlocked: tools.unlocked,
    inputs: [{ name: 'qemu', version: tools.version(name), sha256: tools.digest }],
  };
};

/** A machine as others see it, over an emulator whose guest runs commands. It ends with the machine. */
const machineOf = (
  { definition, image }: EmulatedOptions,
  program: Program,
  inputs: readonly Input[],
  { emulator, agent, orLost, start, args, ...resources }: BootedEmulator,
): Machine => {
  const withGone = (signal: AbortSignal | undefined): AbortSignal =>
    signal ? AbortSignal.any([emulator.lost, signal]) : emulator.lost;
  const tellMonitor: TellMonitor = (command, signal) =>
    orLost(emulator.monitor.request('human-monitor-command', { 'command-line': command }, withGone(signal)));
  const machine: Machine = {
    name: definition.name,
    architecture: definition.architecture,
    ...(isVirtualized(definition)
      ? { accelerator: 'kvm', fidelity: 'virtualized', capabilities: virtualizedCapabilities }
      : { accelerator: 'tcg', fidelity: 'emulated', capabilities: emulatedCapabilities }),
    uplink: { board: userNetwork.board, lab: userNetwork.lab, bind: '127.0.0.1' },
    timeoutFactor: definition.slowness,
    inputs: [...image.inputs, ...inputs],
    wasmtimeVersion: image.wasmtimeVersion,
    start,
    command: [path.basename(program.args.at(-1) ?? program.file), ...args],
    logs: [{ name: 'console', read: emulator.consoleText }],
    lost: emulator.lost,
    exec: (argv, execOptions = {}) =>
      orLost(agent.exec(argv, { ...execOptions, signal: withGone(execOptions.signal) })),
    writeFile: async (file, content, mode = 0o644) => {
      await execOk(machine, ['mkdir', '-p', path.dirname(file)]);
      await orLost(agent.writeFile(file, content));
      await execOk(machine, ['chmod', mode.toString(8), file]);
    },
    readFile: (file) => orLost(agent.readFile(file)),
    release: emulator.release,
    forward: (boardPort, signal) => forwardPort(tellMonitor, boardPort, signal),
    expose: (port) => exposePort(tellMonitor, port),
    [Symbol.asyncDispose]: resources[Symbol.asyncDispose],
  };
  return machine;
};

/**
 * Starts a machine of QEMU's and resolves when it runs commands. Throws a lab fault with
 * the console's last lines when it panics, ends, or is not ready in time.
 */
export const startEmulated = async (options: EmulatedOptions): Promise<Machine> => {
  const { definition, image, run, port, saving, signal } = options;
  const { program, firmware, inputs } = await emulatorProgram(options);
  const args = emulatorArguments(definition, image, { firmware, name: `lab-${run.id}`, port });
  const boot = { definition, program, args, run, signal };
  const booted = await (saving === undefined ? bootEmulator(boot) : restoreOrBoot(boot, saving));
  return machineOf(options, program, inputs, booted);
};
