import { constants } from 'node:fs';
import { chown, mkdir, mkdtemp, open, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { mostCompileMs } from '../../contract/limits.ts';
import { compileOptions } from '../../contract/native.ts';
import type { Log } from '../../system/log.ts';
import { run } from '../../system/run.ts';
import { serialByKey } from '../../system/serial.ts';
import type { Artifact } from '../artifacts/artifacts.ts';
import { weaken } from '../process/users.ts';
import { findPrecompiled, type Program, precompiledFile, type Wasmtime } from './wasmtime.ts';

/** Reads what the compiler wrote; a link that it may have laid instead is not followed. */
const readOutput = async (file: string): Promise<Buffer> => {
  await using handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  return await handle.readFile();
};

/** Compiles into a folder of its own; only the whole result gets its place. */
const compile = async (file: string, artifact: Artifact, wasmtime: Wasmtime, signal: AbortSignal): Promise<void> => {
  const scratch = await mkdtemp(join(tmpdir(), 'oakestra-compile-'));
  const part = `${file}.${process.pid}.part`;
  try {
    if (wasmtime.user !== undefined) await chown(scratch, wasmtime.user, wasmtime.user);
    const output = join(scratch, 'native');
    const words = [
      ...weaken(wasmtime.user),
      wasmtime.path,
      'compile',
      '-C',
      'cache=n',
      ...compileOptions,
      artifact.file,
      '-o',
      output,
    ] as const;
    await run(words, { signal, timeoutMs: mostCompileMs });
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    await writeFile(part, await readOutput(output), { mode: 0o644 });
    await rename(part, file);
  } finally {
    await rm(part, { force: true });
    await rm(scratch, { recursive: true, force: true });
  }
};

const serial = serialByKey();

/**
 * The native code of a component: what {@link findPrecompiled} finds, else compiled on this node and put where it
 * looks, once even when several instances ask for it. The compiler is as weak as an instance; only the engine writes
 * to the folder. Throws what the compiler said.
 */
export const compileAhead = (
  folder: string,
  artifact: Artifact,
  wasmtime: Wasmtime,
  log: Log,
  signal: AbortSignal,
): Promise<Program> => {
  const file = precompiledFile(folder, artifact.digest, wasmtime.version);
  return serial(file, async () => {
    signal.throwIfAborted();
    const found = await findPrecompiled(folder, artifact, wasmtime.version, log);
    if (found !== undefined) return found;
    await compile(file, artifact, wasmtime, signal);
    return { file, precompiled: true };
  });
};
