import type { ComponentInfo } from '../../../contract/component.ts';
import type { Serving } from '../serving.ts';

/** As good as no time-out in seconds, and still one: without any wasmtime refuses code that can be interrupted. */
const never = 1_000_000_000;

/** wasmtime's option that ends what takes longer than `seconds`; 0 for nothing. */
export const timeoutOption = (seconds: number): readonly string[] => ['-W', `timeout=${seconds > 0 ? seconds : never}`];

/**
 * wasmtime's options for a service. Its own default is one request an instance for components of WASI 0.2 alone, and it
 * knows no other before version 39.
 */
export const servingOptions = ({ timeout, reuse }: Serving, info: ComponentInfo): readonly string[] => {
  const reusedByDefault = info.exports.some((name) => name.startsWith('wasi:http/handler@'));
  const option = `--max-instance-reuse-count=${Math.max(1, reuse)}`;
  return [...timeoutOption(timeout), ...(reuse > 1 || reusedByDefault ? [option] : [])];
};

/**
 * The threads that run a component: as many as its job has processors, at most the board's, but never fewer than two.
 * With one, a request that computes for ever lets no other one through.
 */
export const threadsOf = (vcpus: number, processors: number): number =>
  Math.max(2, Math.min(vcpus > 0 ? Math.ceil(vcpus) : processors, processors));
