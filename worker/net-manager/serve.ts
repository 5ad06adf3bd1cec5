import { once } from 'node:events';
import { lockState } from '../system/locks/state-lock.ts';
import { consoleLog } from '../system/log.ts';
import { stopSignal } from '../system/stopping.ts';
import { lockBoard } from './board-lock.ts';
import { type Config, readConfig } from './config.ts';
import { type Contents, type Journal, openJournal } from './journal.ts';
import { createManager } from './manager.ts';
import type { Options } from './options.ts';
import { refusalFor } from './peer.ts';
import { parseSubnet } from './plan/addresses.ts';
import { settingsOf } from './plan/settings.ts';
import { reconcile } from './reconcile/restart.ts';
import { portsOf } from './registration.ts';
import { answerOnSocket, closed, createApi, listenOnPort, refuseSecond } from './server.ts';

/**
 * The longest that the net manager takes to end, in ms, and to give the board back first: after the last instance, or
 * with all of them where that is configured. A slow board is not left half given back, for nobody may start this program
 * again.
 */
const stopMs = 2500;
const removeMs = 60_000;
/** The longest that requests under way may take then, in ms. */
const answerMs = 1500;

/** The settings of a node that has addresses already, by its journal. */
export const recordedSettings = (
  config: Config,
  { subnet, topology, cluster: addresses = [], registration }: Contents,
) => {
  if (!subnet) return undefined;
  const cluster = { addresses, ports: registration === undefined ? [] : portsOf(registration) };
  return settingsOf(config, parseSubnet(subnet.address, subnet.addressv6), topology, cluster);
};

/**
 * Is the net manager until it is told to stop, or `ended` aborts; on a node that has addresses its network stands first.
 */
export const serve = async (options: Options, ended?: AbortSignal): Promise<void> => {
  const config = await readConfig(options.config, consoleLog(false).warn);
  const log = consoleLog(config.net.Debug ?? false);
  let opened: Journal | undefined;
  const givesBack = () => config.net.OnStop === 'remove' || opened?.contents.entries.length === 0;
  const told = stopSignal(log, () => (givesBack() ? removeMs : stopMs));
  const stop = ended === undefined ? told : AbortSignal.any([told, ended]);

  using _board = await lockBoard(options.state);
  await using _state = await lockState(options.state, 'NetManager');
  await refuseSecond(options.socket);
  const journal = await openJournal(options.state, log);
  opened = journal;
  const settings = recordedSettings(config, journal.contents);
  if (settings) await reconcile(settings, journal, log);
  const manager = createManager(config, journal, log);
  manager.resume();

  const onSocket = await answerOnSocket(() => createApi(manager, log), options.socket, log);
  const onPort = createApi(manager, log, refusalFor);
  if (options.port !== undefined) await listenOnPort(onPort, options.port);
  log.info(`answering on ${options.socket}`);
  if (!stop.aborted) await once(stop, 'abort');
  log.info(`${stop.reason}: stopping`);
  await Promise.all([onSocket.close(answerMs), closed(onPort, answerMs), manager.leave()]);
  await manager.stop();
};
