import fs from 'node:fs/promises';
import { execa } from 'execa';
import { compileOptions, nativeName } from '../../worker/contract/native.ts';
import type { Architecture } from '../system/elf.ts';
import { cached, cachePath } from '../system/files/cache.ts';
import type { App } from './app.ts';
import type { Wasmtime } from './wasmtime.ts';

/**
 * A component compiled ahead of time for `architecture` by a wasmtime of this computer. Whoever runs the result runs
 * native code: it goes to a board through the machine, never through a cluster.
 */
export const compileAhead = (
  app: App,
  compiler: Wasmtime,
  architecture: Architecture,
  signal?: AbortSignal,
): Promise<string> =>
  cached(
    cachePath('compiled', nativeName(app.sha256, compiler.sha256.slice(0, 16), architecture)),
    async (temporary) => {
      const source = `${temporary}.wasm`;
      await fs.writeFile(source, app.bytes);
      try {
        const target = ['--target', `${architecture}-unknown-linux-gnu`];
        const args = ['compile', ...target, ...compileOptions, source, '-o', temporary];
        await execa(compiler.file, args, { stdin: 'ignore', ...(signal ? { cancelSignal: signal } : {}) });
      } finally {
        await fs.rm(source, { force: true });
      }
    },
    { signal },
  );

/** Where a worker looks for a compiled component. */
export const precompiledPath = (app: App, version: string, architecture: Architecture): string =>
  `/var/lib/oakestra/precompiled/${nativeName(app.sha256, version, architecture)}`;
