import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** The command line, with its defaults filled in. */
export type Options = {
  readonly config: string;
  readonly socket: string;
  readonly port: number | undefined;
  readonly state: string;
  readonly plan: string | undefined;
  readonly status: boolean;
  readonly help: boolean;
};

/** A command line that cannot be followed. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const usage = `NetManager: the network of an Oakestra worker's instances

  NetManager [--config DIR] [--socket PATH] [--port N] [--state DIR]
  NetManager --status [--config DIR] [--state DIR]
  NetManager --plan '{"serviceName":"app.ns.svc.ns","instanceNumber":0,"portMappings":"80:8080"}'

  --config DIR   folder of netcfg.json and tuncfg.json (default /etc/netmanager)
  --socket PATH  unix socket that answers requests (default DIR/netmanager.sock)
  --port N       answer on 127.0.0.1:N too, to processes of root and of this program's user
  --state DIR    folder of the journal (default /var/lib/oakestra/netmanager)
  --plan JSON    print the commands that a deployment would run, and run nothing
  --status       print instances, services, other nodes and counters as JSON; needs no running NetManager
  --help         this text
`;

const portOf = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new UsageError(`--port ${text}: expected a number from 1 to 65535`);
  return port;
};

/** Reads the arguments after the program's name. Throws {@link UsageError}. */
export const parseOptions = (args: readonly string[]): Options => {
  const text = { type: 'string' } as const;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        config: text,
        socket: text,
        port: text,
        state: text,
        plan: text,
        status: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    });
    const config = values.config ?? '/etc/netmanager';
    return {
      config,
      socket: values.socket ?? join(config, 'netmanager.sock'),
      port: portOf(values.port),
      state: values.state ?? '/var/lib/oakestra/netmanager',
      plan: values.plan,
      status: values.status ?? false,
      help: values.help ?? false,
    };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError((error as Error).message, { cause: error });
  }
};
