/**
 * The options with which a component is compiled ahead of time. wasmtime takes native code only from a compiler that had
 * the same options, and a request can be ended only in code that looks at the epoch counter.
 */
export const compileOptions = ['-W', 'epoch-interruption=y'] as const;

/** The file name of a component's native code; `architecture` is `aarch64` or `x86_64`, as the compiler's target has it. */
export const nativeName = (digest: string, version: string, architecture: string): string =>
  `${digest}-${version}-${architecture}-epoch.cwasm`;
