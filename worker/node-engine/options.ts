import { parseArgs } from 'node:util';
import type { Dialect } from '../contract/registration.ts';

/** What the command line sets. Folders and sockets are paths; without `netManager` conf.json decides. */
export type Options = {
  readonly config: string;
  readonly netManager: string | undefined;
  readonly wasmtime: string;
  readonly cache: string;
  readonly precompiled: string;
  readonly state: string;
  readonly dialect: Dialect | undefined;
};

/** A command line that cannot be understood. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const usage = `Usage: NodeEngine [OPTIONS]

Runs the WebAssembly services that an Oakestra cluster sends to this node, each as a wasmtime process in the network
namespace that NetManager made for it.

Options:
  --config FILE         configuration (default /etc/oakestra/conf.json)
  --net-manager SOCKET  NetManager's unix socket (default: what conf.json says in overlay_network)
  --wasmtime PATH       the runtime (default: wasmtime on PATH)
  --cache DIR           downloaded components by digest (default /var/cache/oakestra)
  --precompiled DIR     components compiled ahead of time, owned by root (default /var/lib/oakestra/precompiled)
  --state DIR           folder of what survives a restart (default /var/lib/oakestra/node-engine)
  --dialect 400|403     the cluster's dialect (default: learned when registering)
  --help                this text
`;

/** Reads the command line; undefined when only help is wanted. Throws {@link UsageError}. */
export const parseOptions = (argv: readonly string[]): Options | undefined => {
  const read = () =>
    parseArgs({
      args: [...argv],
      options: {
        config: { type: 'string', default: '/etc/oakestra/conf.json' },
        'net-manager': { type: 'string' },
        wasmtime: { type: 'string', default: 'wasmtime' },
        cache: { type: 'string', default: '/var/cache/oakestra' },
        precompiled: { type: 'string', default: '/var/lib/oakestra/precompiled' },
        state: { type: 'string', default: '/var/lib/oakestra/node-engine' },
        dialect: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  let values: ReturnType<typeof read>;
  try {
    values = read();
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\nTry 'NodeEngine --help'.`, { cause: error });
  }
  const { help, dialect, 'net-manager': netManager, ...rest } = values;
  if (help) return undefined;
  if (dialect !== undefined && dialect !== '400' && dialect !== '403')
    throw new UsageError(`--dialect is 400 or 403, not '${dialect}'`);
  return { ...rest, dialect, netManager };
};
