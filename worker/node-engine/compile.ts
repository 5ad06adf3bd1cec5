import { constants } from 'node:fs';
import { chown, mkdir, mkdtemp, open, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from '../system/run.ts';
import type { Artifact } from './artifacts.ts';
import { weaken } from './users.ts';
import { type Program, precompiledFile, type Wasmtime } from './wasmtime.ts';

const compileMs = 300_000;

/** Reads what the compiler wrote; a link that it may have laid instead is not followed. */
const readOutput = async (file: string): Promise<Buffer> => {
  await using handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  return await handle.readFile();
};

/**
 * Compiles a component on this node and puts the native code where {@link findPrecompiled} looks for it. The compiler
 * is as weak as an instance; only the engine writes to the folder. Throws what the compiler said.
 */
export const compileAhead = async (
  folder: string,
  artifact: Artifact,
  wasmtime: Wasmtime,
  signal: AbortSignal,
): Promise<Program> => {
  const scratch = await mkdtemp(join(tmpdir(), 'oakestra-compile-'));
  try {
    if (wasmtime.user !== undefined) await chown(scratch, wasmtime.user, wasmtime.user);
    const output = join(scratch, 'native');
    const words = [
      ...weaken(wasmtime.user),
      wasmtime.path,
      'compile',
      '-C',
      'cache=n',
      artifact.file,
      '-o',
      output,
    ] as const;
    await run(words, { signal, timeoutMs: compileMs });
    const file = precompiledFile(folder, artifact.digest, wasmtime.version);
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    const part = `${file}.${process.pid}.part`;
    await writeFile(part, await readOutput(output), { mode: 0o644 });
    await rename(part, file);
    return { file, precompiled: true };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
};
