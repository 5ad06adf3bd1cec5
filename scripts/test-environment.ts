import { hostMachine } from '../lab/system/elf.ts';
import { messageOf } from '../lab/system/errors.ts';
import { networkCommands } from '../lab/system/packages/network-tools.ts';
import { systemFolders } from '../lab/system/programs.ts';
import { provideWasmtime } from '../lab/wasm/wasmtime.ts';

/**
 * What tests need of this computer and can be had without its package manager: the network programs and wasmtime. What
 * could not be had is said; the tests that need it then skip with their reason. An ordinary user's PATH may lack the
 * folders of the system's own programs.
 */
export const testEnvironment = async (): Promise<Readonly<Record<string, string>>> => {
  const missing = (what: string) => (error: unknown) => {
    process.stdout.write(`no ${what}: ${messageOf(error)}\n`);
    return undefined;
  };
  const [commands, wasmtime] = await Promise.all([
    networkCommands().catch(missing('network programs')),
    provideWasmtime(hostMachine()).catch(missing('wasmtime')),
  ]);
  return {
    PATH: [...(commands === undefined ? [] : [commands]), process.env['PATH'] ?? '', ...systemFolders].join(':'),
    ...(wasmtime === undefined ? {} : { LAB_TEST_WASMTIME: wasmtime.file }),
  };
};
