import { once } from 'node:events';
import { consoleLog } from '../system/log.ts';
import { readConfig } from './config.ts';
import { openJournal } from './journal.ts';
import { createManager } from './manager.ts';
import { type Options, parseOptions, UsageError, usage } from './options.ts';
import { createApi, listenOnPort, listenOnSocket } from './server.ts';

const serve = async (options: Options): Promise<void> => {
  const config = await readConfig(options.config);
  const log = consoleLog(config.net.Debug ?? false);
  const journal = await openJournal(options.state, log);
  await using manager = createManager(config, journal, log);
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort(name));

  const onSocket = createApi(manager, log);
  const onPort = createApi(manager, log);
  await listenOnSocket(onSocket, options.socket);
  if (options.port !== undefined) await listenOnPort(onPort, options.port);
  log.info(`answering on ${options.socket}`);
  await once(stop.signal, 'abort');
  log.info(`${stop.signal.reason}: stopping`);
  for (const server of [onSocket, onPort]) {
    server.close();
    server.closeIdleConnections();
  }
};

const main = async (): Promise<number> => {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(usage);
  else await serve(options);
  return 0;
};

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`NetManager: ${(error as Error).message}\n`);
    process.exitCode = error instanceof UsageError ? 64 : 1;
  },
);
