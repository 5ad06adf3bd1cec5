import type { BootImage } from '../../../image/image.ts';
import { messageOf } from '../../../system/errors.ts';
import { sha256 } from '../../../system/files/digest.ts';
import { deadline } from '../../../system/wait.ts';
import { GuestAgent } from '../agent.ts';
import { type BootedEmulator, type BootOptions, bootEmulator, lossOf } from '../boot.ts';
import { emulatorArguments } from '../command.ts';
import type { MachineDefinition } from '../definitions.ts';
import { startEmulator, stateFile } from '../emulator.ts';
import { loadState, saveState } from './migration.ts';
import { prepareRefresh, refresh } from './refresh.ts';
import { keepSavedBoot, openSavedBoot, removeSavedBoot, type SavedBoot } from './saved-boots.ts';

/** How long restoring and saving may take on native hardware; it is multiplied by the machine's slowness. */
const deadlineMs = 6_000;

// Changing how a guest is saved must not restore old ones.
const format = 'stream 1';

/** What a machine is restored from, and who is told why that, or saving it, did not succeed. */
export type Saving = { readonly key: string; readonly note: (text: string) => void };

/**
 * The SHA-256 of all that a saved boot depends on: what is booted, by which emulator, with which arguments. In these,
 * files have the names of what they are; their digests are the image's. Undefined for what cannot be saved: a machine
 * with a device that has no saved form, and one with a card, whose changes are in a file of the emulator's own.
 */
export const savedBootKey = (
  definition: MachineDefinition,
  image: BootImage,
  emulatorDigest: string | undefined,
): string | undefined => {
  if (!definition.savable || image.card !== undefined || emulatorDigest === undefined) return undefined;
  const named = {
    ...image,
    kernel: 'kernel',
    initramfs: image.initramfs && 'initramfs',
    layers: image.layers.map((layer) => ({ ...layer, file: layer.name })),
  };
  const args = emulatorArguments(definition, named, { firmware: ['firmware'], name: 'lab' });
  return sha256(JSON.stringify([format, emulatorDigest, image.digest, args]));
};

/** Restores a guest from its saved boot and resolves when it runs commands, with entropy of its own and the time. */
const restore = async (options: BootOptions, saved: SavedBoot): Promise<BootedEmulator> => {
  const { definition, program, run, signal } = options;
  const args = [...options.args, '-incoming', 'defer'];
  await using stack = new AsyncDisposableStack();
  const restoring = deadline(deadlineMs * definition.slowness, 'restoring the board', signal);
  // its file is read while the emulator starts
  const isWhole = saved.isWhole();
  const emulator = stack.use(await startEmulator(program, args, run, restoring, saved.fd));
  if (!(await isWhole)) throw new Error('its digest is not the one with which it was saved');
  const agent = new GuestAgent(emulator.agent);
  const orLost = lossOf(emulator);
  const ends = AbortSignal.any([restoring, emulator.lost]);
  await orLost(loadState(emulator.monitor, stateFile, ends));
  await orLost(agent.ready(ends));
  await orLost(refresh(agent, ends));
  const resources = stack.move();
  return { emulator, agent, orLost, start: 'restored', args, [Symbol.asyncDispose]: () => resources.disposeAsync() };
};

/** Restores a guest if it was saved; a saved boot that is of no use is removed. */
const restoreSaved = async (options: BootOptions, { key, note }: Saving): Promise<BootedEmulator | undefined> => {
  await using saved = await openSavedBoot(key);
  if (saved === undefined) return undefined;
  try {
    return await restore(options, saved);
  } catch (error) {
    options.signal.throwIfAborted();
    await removeSavedBoot(key);
    note(`The board was booted: its saved boot could not be used and was removed (${messageOf(error)}).`);
    return undefined;
  }
};

/** How long a guest may take to go on after it stood still, whatever came of saving it. */
const goingOn = ({ lost }: BootedEmulator['emulator'], { definition, signal }: BootOptions): AbortSignal =>
  deadline(deadlineMs * definition.slowness, 'having the board go on', signal, lost);

/** Saves a guest that has just booted. It goes on as one that is restored does. */
const save = async ({ emulator, agent, orLost }: BootedEmulator, options: BootOptions, key: string): Promise<void> => {
  const { definition, run, signal } = options;
  const saving = deadline(deadlineMs * definition.slowness, 'saving the board', signal, emulator.lost);
  const goesOn = () => goingOn(emulator, options);
  await keepSavedBoot(
    key,
    async (file) => {
      await orLost(prepareRefresh(agent, definition.architecture, run.folder, saving));
      try {
        await orLost(saveState(emulator.monitor, file, saving, goesOn));
      } finally {
        await orLost(refresh(agent, goesOn()));
      }
    },
    saving,
  );
};

/** Restores a guest from its saved boot; where there is none it is booted, and saved for the next time. */
export const restoreOrBoot = async (options: BootOptions, saving: Saving): Promise<BootedEmulator> => {
  const restored = await restoreSaved(options, saving);
  if (restored !== undefined) return restored;
  await using stack = new AsyncDisposableStack();
  const booted = stack.use(await bootEmulator(options));
  try {
    await save(booted, options, saving.key);
  } catch (error) {
    options.signal.throwIfAborted();
    if (booted.emulator.lost.aborted) throw booted.emulator.lost.reason;
    // one that still stands still is of no use
    await booted.orLost(booted.agent.ready(goingOn(booted.emulator, options)));
    saving.note(`The board will be booted the next time, too: it could not be saved (${messageOf(error)}).`);
  }
  stack.move();
  return booted;
};
