import { fileURLToPath } from 'node:url';
import { cacheFolder } from '../lab/commands/preflight/folders.ts';
import { hostMachine } from '../lab/system/elf.ts';
import { messageOf } from '../lab/system/errors.ts';
import { networkCommands } from '../lab/system/packages/network-tools.ts';
import { systemFolders } from '../lab/system/programs.ts';
import { provideWasmtime } from '../lab/wasm/wasmtime.ts';

const cacheMs = 30_000;

/** Where the cache is when this user's own folder for it cannot be used, as in a container without a home. */
const cacheInCheckout = fileURLToPath(new URL('../node_modules/.cache', import.meta.url));

/** Gives this process, and the tests that it starts, a cache that can be used. */
const provideCache = async (): Promise<void> => {
  const signal = AbortSignal.timeout(cacheMs);
  const found = await cacheFolder.look({ reports: '', signal });
  if (found === undefined || found.ok) return;
  process.stdout.write(`${found.detail}: the tests use ${cacheInCheckout}\n`);
  process.env['XDG_CACHE_HOME'] = cacheInCheckout;
};

/**
 * What tests need of this computer and can be had without its package manager: the network programs and wasmtime. What
 * could not be had is said; the tests that need it then skip with their reason. An ordinary user's PATH may lack the
 * folders of the system's own programs.
 */
export const testEnvironment = async (): Promise<Readonly<Record<string, string>>> => {
  await provideCache();
  const missing = (what: string) => (error: unknown) => {
    process.stdout.write(`no ${what}: ${messageOf(error)}\n`);
    return undefined;
  };
  const [commands, wasmtime] = await Promise.all([
    networkCommands().catch(missing('network programs')),
    provideWasmtime(hostMachine()).catch(missing('wasmtime')),
  ]);
  return {
    ...(process.env['XDG_CACHE_HOME'] === undefined ? {} : { XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] }),
    PATH: [...(commands === undefined ? [] : [commands]), process.env['PATH'] ?? '', ...systemFolders].join(':'),
    ...(wasmtime === undefined ? {} : { LAB_TEST_WASMTIME: wasmtime.file }),
    // what labs in tests have to say is no matter of the job that runs the tests
    GITHUB_ACTIONS: '',
    GITHUB_STEP_SUMMARY: '',
  };
};
