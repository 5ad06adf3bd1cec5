import type { Log } from '../../../system/log.ts';
import type { Runtime } from '../runtime.ts';
import { hasBegun } from './begun.ts';
import { planHere } from './command.ts';
import { findWasmtime, type Wasmtime } from './wasmtime.ts';

/** How wasmtime begins what it says of a file that it does not run; it names the file, which no component knows. */
const notLoaded = /(?:^|: )Error: (?:failed to (?:load code|parse|read)|expected `\()/;

/** wasmtime keeps a pool of memories for services, far larger than any limit. */
const withoutPool = ['-O', 'pooling-allocator=n'];

/** An installed wasmtime as this engine's runtime. */
export const wasmtimeRuntime = (wasmtime: Wasmtime): Runtime => ({
  name: 'wasmtime',
  ...wasmtime,
  plan: (job, info, serving) => planHere(job, info, serving, wasmtime),
  argv: (plan, { file, precompiled }, confined) => [
    wasmtime.path,
    ...plan.before,
    ...(confined && plan.world === 'proxy' ? withoutPool : []),
    ...(precompiled ? ['--allow-precompiled'] : []),
    file,
    ...plan.after,
  ],
  compileArgv: (component, options, output) => [
    ...[wasmtime.path, 'compile', '-C', 'cache=n'],
    ...[...options, component, '-o', output],
  ],
  hasBegun: (pid, { file }) => hasBegun(pid, file),
  refusesCode: (said, { file }) => notLoaded.test(said) && said.includes(file),
});

/** The runtime of this node, wasmtime at `path`, tried just as an instance will run it. Throws when it cannot be run. */
export const findRuntime = async (path: string, log: Log): Promise<Runtime> =>
  wasmtimeRuntime(await findWasmtime(path, log));
