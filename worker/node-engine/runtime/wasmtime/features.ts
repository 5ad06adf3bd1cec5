import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandFailed, run } from '../../../system/run.ts';
import { dropPrivileges } from '../../../system/users.ts';
import type { Feature, RuntimeFacts } from './imports.ts';
import type { Wasmtime } from './wasmtime.ts';

/** A command that does nothing, as a component: its text is in the test of this. */
const idle =
  'AGFzbQ0AAQABLwBhc20BAAAAAQUBYAABfwMCAQAHBwEDcnVuAAAKBgEEAEEACwAJBG5hbWUAAgFtAgQBAAAABwgCagAAQAAAAAYJAQAAAQADcnVuCAYBAAAAAAEFCgEBAQADcnVuAQALGAEAEndhc2k6Y2xpL3J1bkAwLjIuMAUAAAAvDmNvbXBvbmVudC1uYW1lAQYAEQEAAW0BBgASAQABaQEHAQEAA3J1bgEFBQEAAXI=';

/** The same, importing `get-random-u64` of wasi:random/random@0.3.0. */
const idleOf03 =
  'AGFzbQ0AAQAHGwFCAgFAAAB3BAAOZ2V0LXJhbmRvbS11NjQBAAodAQAYd2FzaTpyYW5kb20vcmFuZG9tQDAuMy4wBQABLwBhc20BAAAAAQUBYAABfwMCAQAHBwEDcnVuAAAKBgEEAEEACwAJBG5hbWUAAgFtAgQBAAAABwgCagAAQAAAAQYJAQAAAQADcnVuCAYBAAAAAAIFCgEBAQADcnVuAQALGAEAEndhc2k6Y2xpL3J1bkAwLjIuMAUBAAAvDmNvbXBvbmVudC1uYW1lAQYAEQEAAW0BBgASAQABaQEHAQEAA3J1bgEFBQEBAXI=';

const askMs = 60_000;

/** What wasmtime is asked: an option of its own and a component that ends well when it has the feature. */
const questions: Readonly<Record<Feature, { readonly options: readonly string[]; readonly component: string }>> = {
  'wasi 0.3': { options: [], component: idleOf03 },
  http: { options: ['-S', 'http'], component: idle },
  config: { options: ['-S', 'config'], component: idle },
  keyvalue: { options: ['-S', 'keyvalue'], component: idle },
  tls: { options: ['-S', 'tls'], component: idle },
  nn: { options: ['-S', 'nn'], component: idle },
};

const runs = async (wasmtime: Wasmtime, options: readonly string[], component: string): Promise<boolean> => {
  const folder = await mkdtemp(join(tmpdir(), 'oakestra-probe-'));
  try {
    await chmod(folder, 0o755);
    const file = join(folder, 'probe.wasm');
    await writeFile(file, Buffer.from(component, 'base64'), { mode: 0o644 });
    await run([...dropPrivileges(wasmtime.user), wasmtime.path, 'run', '-C', 'cache=n', ...options, file], {
      timeoutMs: askMs,
    });
    return true;
  } catch (error) {
    if (error instanceof CommandFailed) return false;
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

/** Only what fails where the same without it succeeds counts as missing: whatever else is wrong shows at the start. */
const isMissing = async (wasmtime: Wasmtime, feature: Feature): Promise<boolean> => {
  const { options, component } = questions[feature];
  return !(await runs(wasmtime, options, component)) && (await runs(wasmtime, [], idle));
};

const asked = new WeakMap<Wasmtime, Map<Feature, Promise<boolean>>>();

/** What is known of a wasmtime that is to have `features`; it is asked once for each of them. */
export const factsOf = async (wasmtime: Wasmtime, features: readonly Feature[]): Promise<RuntimeFacts> => {
  const known = asked.get(wasmtime) ?? new Map<Feature, Promise<boolean>>();
  asked.set(wasmtime, known);
  const lacks = new Set<Feature>();
  for (const feature of features) {
    const missing = known.get(feature) ?? isMissing(wasmtime, feature);
    known.set(feature, missing);
    missing.catch(() => known.delete(feature));
    if (await missing) lacks.add(feature);
  }
  return { version: wasmtime.version, lacks };
};
