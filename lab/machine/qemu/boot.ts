import { labFault, messageOf } from '../../system/errors.ts';
import type { Program } from '../../system/packages/tools.ts';
import { tail } from '../../system/process.ts';
import type { RunFolder } from '../../system/runs.ts';
import { deadline, until } from '../../system/wait.ts';
import type { MachineStart } from '../machine.ts';
import { isVirtualized } from './accelerator.ts';
import { GuestAgent } from './agent.ts';
import type { MachineDefinition } from './definitions.ts';
import { type Emulator, startEmulator } from './emulator.ts';
import { ChannelClosed } from './json-channel.ts';

/** How long a boot may take on native hardware; it is multiplied by the machine's slowness. */
const bootDeadlineMs = 12_000;
const exitMs = 10_000;

/** What is started: which emulator with which arguments, in whose folder. */
export type BootOptions = {
  readonly definition: MachineDefinition;
  readonly program: Program;
  readonly args: readonly string[];
  readonly run: Pick<RunFolder, 'folder' | 'env' | 'lock'>;
  readonly signal: AbortSignal;
};

/** An emulator whose guest runs commands. */
export type BootedEmulator = AsyncDisposable & {
  readonly emulator: Emulator;
  readonly agent: GuestAgent;
  /** How its guest came to run: from power-on, or out of a file. */
  readonly start: MachineStart;
  /** What the emulator was started with. */
  readonly args: readonly string[];
  /** `work` that talks to the emulator, or the reason why that ended. */
  readonly orLost: <T>(work: Promise<T>) => Promise<T>;
};

/** How to wait for an emulator's answers: of one that ended a closed channel is only the first sign, and its reason follows. */
export const lossOf =
  ({ lost }: Emulator): BootedEmulator['orLost'] =>
  (work) =>
    work.catch(async (error: unknown) => {
      if (!(error instanceof ChannelClosed)) throw error;
      await until(() => lost.aborted || undefined, deadline(exitMs, "the emulator's end"));
      throw lost.reason;
    });

/**
 * Boots a guest and resolves when it runs commands. Throws a lab fault with the console's last lines when it panics,
 * ends, or is not ready in time.
 */
export const bootEmulator = async (options: BootOptions): Promise<BootedEmulator> => {
  const { definition, program, args, run, signal } = options;
  await using stack = new AsyncDisposableStack();
  const booting = deadline(bootDeadlineMs * definition.slowness, 'boot', signal);
  const emulator = stack.use(await startEmulator(program, args, run, booting));
  const agent = new GuestAgent(emulator.agent);
  const orLost = lossOf(emulator);
  try {
    await orLost(agent.ready(AbortSignal.any([booting, emulator.lost])));
  } catch (error) {
    signal.throwIfAborted();
    const next = isVirtualized(definition) ? ['--accel tcg emulates the board, in case KVM is at fault'] : [];
    if (emulator.lost.aborted) throw labFault(messageOf(emulator.lost.reason), next, emulator.lost.reason);
    throw labFault(
      `the machine did not finish booting: ${messageOf(error)}\n${tail(await emulator.consoleText())}`,
      next,
    );
  }
  if (!definition.clock) {
    const now = `@${(Date.now() / 1000).toFixed()}`;
    await orLost(agent.exec(['date', '-s', now], { signal: AbortSignal.any([signal, emulator.lost]) }));
  }
  const resources = stack.move();
  return { emulator, agent, orLost, start: 'booted', args, [Symbol.asyncDispose]: () => resources.disposeAsync() };
};
