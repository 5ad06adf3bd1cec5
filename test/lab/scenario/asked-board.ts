import type { Machine } from '../../../lab/machine/machine.ts';

/** A board that only answers what it is asked about itself, and notes what is done to it. */
export const askedBoard = (done: string[], links: unknown): Machine => ({
  ...{ name: 'nowhere', architecture: 'aarch64', accelerator: 'none', fidelity: 'emulated', timeoutFactor: 1 },
  ...{
    capabilities: new Set(['bridge'] as const),
    inputs: [],
    logs: [],
    wasmtimeVersion: '1.2.3',
    lost: new AbortController().signal,
  },
  uplink: { board: '127.0.0.1', lab: '127.0.0.1', bind: '127.0.0.1' },
  exec: async (argv) => {
    if (argv.join(' ') === 'ip -json address show') return { code: 0, stdout: JSON.stringify(links), stderr: '' };
    if (argv[0] !== 'find' && argv.join(' ') !== 'ip netns list') done.push(argv.join(' '));
    return { code: 0, stdout: '', stderr: '' };
  },
  writeFile: async (file) => {
    done.push(file);
  },
  readFile: async () => Buffer.alloc(0),
  release: () => {},
  forward: () => Promise.reject(new Error('never')),
  [Symbol.asyncDispose]: async () => {},
});
