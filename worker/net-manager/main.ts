import { once } from 'node:events';
import { consoleLog } from '../system/log.ts';
import { readConfig } from './config.ts';
import { dryRun } from './dry-run.ts';
import { openJournal } from './journal.ts';
import { reconcile } from './kernel/node.ts';
import { createManager } from './manager.ts';
import { type Options, parseOptions, UsageError, usage } from './options.ts';
import { strangerAt } from './peer.ts';
import { parseSubnet } from './plan/addresses.ts';
import { settingsOf } from './plan/settings.ts';
import { closed, createApi, listenOnPort, listenOnSocket, refuseSecond } from './server.ts';

const serve = async (options: Options): Promise<void> => {
  const config = await readConfig(options.config, consoleLog(false).warn);
  const log = consoleLog(config.net.Debug ?? false);
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort(name));

  await refuseSecond(options.socket);
  const journal = await openJournal(options.state, log);
  const { subnet, topology } = journal.contents;
  if (subnet)
    await reconcile(settingsOf(config, parseSubnet(subnet.address, subnet.addressv6), topology), journal, log);
  const manager = createManager(config, journal, log);
  manager.resume();

  const onSocket = createApi(manager, log);
  const onPort = createApi(manager, log, strangerAt);
  await listenOnSocket(onSocket, options.socket);
  if (options.port !== undefined) await listenOnPort(onPort, options.port);
  log.info(`answering on ${options.socket}`);
  if (!stop.signal.aborted) await once(stop.signal, 'abort');
  log.info(`${stop.signal.reason}: stopping`);
  await Promise.all([closed(onSocket), closed(onPort)]);
  await manager.stop();
};

const main = async (): Promise<number> => {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(usage);
  else if (options.plan !== undefined) {
    const log = consoleLog(false);
    const config = await readConfig(options.config, log.warn);
    const { contents } = await openJournal(options.state, log);
    process.stdout.write(dryRun(options.plan, config, contents, log.warn));
  } else await serve(options);
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
