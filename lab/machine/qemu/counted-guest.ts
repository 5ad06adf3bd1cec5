import fs from 'node:fs/promises';
import path from 'node:path';
import { buildDebianImage } from '../../image/debian/build.ts';
import modules from '../../image/debian/modules.json' with { type: 'json' };
import type { BoardName } from '../../image/debian/parts.ts';
import { labFault, usageFault } from '../../system/errors.ts';
import type { TreeEntry } from '../../system/packages/deb.ts';
import { findProgram } from '../../system/programs.ts';
import { layoutEntries } from '../deterministic/layout.ts';
import type { CountedGuest, MachineOptions } from '../kind.ts';
import { runFiles } from './command.ts';
import { allowedProcessors, countedArguments, runCounted } from './counted.ts';
import type { CountedDefinition } from './definitions.ts';
import { emulatorProgram } from './qemu.ts';

/** Makes a machine of QEMU's with a quick image that has the lab's half in it, everything in one initramfs. */
export const prepareCounted = async (wanted: {
  readonly definition: CountedDefinition;
  readonly board: BoardName;
  readonly options: MachineOptions;
  readonly entries: readonly TreeEntry[];
  readonly folder: string;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}): Promise<CountedGuest> => {
  const { definition, board, options, folder, say, signal } = wanted;
  const { wasmtime, qemu, image: kind, boot } = options;
  if (kind === 'buildroot' || boot === 'sd')
    throw usageFault('a deterministic run boots the quick image: leave out --image and --boot');
  if (findProgram('taskset') === undefined)
    throw labFault('a deterministic run needs the program taskset, which is not installed here', [
      'install util-linux',
    ]);
  const entries = [...layoutEntries(modules.shared.load), ...wanted.entries];
  const archive = { file: path.join(folder, 'initramfs.cpio'), entries };
  const [image, emulator] = await Promise.all([
    buildDebianImage({ board, wasmtime, archive, say, signal }),
    emulatorProgram({ definition, qemu, signal }),
  ]);
  const { program, firmware } = emulator;
  const args = (seed: number) => countedArguments(definition, image, { firmware, seed });
  const processors = allowedProcessors(await fs.readFile('/proc/self/status', 'utf8'));
  const free = [...processors];
  return {
    unlocked: image.unlocked,
    inputs: [...image.inputs, ...emulator.inputs],
    consoleText: (of) => fs.readFile(path.join(of, runFiles.console), 'utf8').catch(() => ''),
    command: (seed) => [path.basename(program.args.at(-1) ?? program.file), ...args(seed)],
    run: async (seed, run, onRecord, ends) => {
      const processor = free.shift() ?? processors[0] ?? 0;
      try {
        await runCounted(program, definition, args(seed), processor, run, onRecord, ends);
      } finally {
        free.push(processor);
      }
    },
  };
};
