import { writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { deadline, until } from '../../../lab/system/wait.ts';
import { post, type Reply } from '../../support/post.ts';
import type { Board } from './board.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { subject } from './subject.ts';

const socket = '/etc/netmanager/netmanager.sock';
const answerMs = 10_000;
const startMs = 20_000;

/** A net manager that answers on its socket. */
export type NetManager = Daemon & { readonly post: (path: string, body: unknown) => Promise<Reply> };

/** Where a net manager runs; `programs` is a folder whose programs it finds first. */
type Place = {
  readonly board: Board;
  readonly programs: string;
  readonly brokerPort: number;
  /** How much longer than on native hardware things may take there; 1 when left out. */
  readonly timeoutFactor?: number;
  /** Called as soon as it runs. */
  readonly started: (daemon: Daemon) => void;
};

/** `netcfg.json` as it is shipped, but for the port of the broker. */
const shippedNetcfg = {
  NodePublicAddress: '0.0.0.0',
  NodePublicPort: '50103',
  ClusterUrl: '0.0.0.0',
  Debug: false,
  MqttCert: '',
  MqttKey: '',
};

const shippedTuncfg = {
  HostTunnelDeviceName: 'goProxyTun',
  TunnelIP: '10.19.1.254',
  ProxySubnetwork: '10.30.0.0',
  ProxySubnetworkMask: '255.255.0.0',
  TunnelPort: 50103,
  MTUsize: 1450,
  TunNetIPv6: 'fcef::dead:beef',
  ProxySubnetworkIPv6: 'fcef::',
  ProxySubnetworkIPv6Prefix: 21,
};

const answers = (path: string): Promise<true | undefined> => {
  const { promise, resolve } = Promise.withResolvers<true | undefined>();
  const probe = createConnection(path, () => resolve(true)).once('error', () => resolve(undefined));
  return promise.finally(() => probe.destroy());
};

/** Starts the net manager under test on a board, with what is added to its files, and waits until it answers. */
export const openNetManager = async (
  { board, programs, brokerPort, timeoutFactor = 1, started }: Place,
  netcfg: Readonly<Record<string, unknown>>,
  tuncfg: Readonly<Record<string, unknown>>,
): Promise<NetManager> => {
  const files = {
    'netcfg.json': { ...shippedNetcfg, ClusterMqttPort: String(brokerPort), ...netcfg },
    'tuncfg.json': { ...shippedTuncfg, ...tuncfg },
  };
  for (const [name, contents] of Object.entries(files))
    await writeFile(board.outside(`/etc/netmanager/${name}`), JSON.stringify(contents));
  const daemon = await startDaemon(board, subject.netManager, programs);
  started(daemon);
  const file = board.outside(socket);
  await until(
    () => {
      if (!daemon.runs()) throw new Error(`the net manager ended: ${daemon.log()}`);
      return answers(file);
    },
    deadline(startMs * timeoutFactor, `an answer on ${socket}`),
  );
  const limit = answerMs * timeoutFactor;
  return { ...daemon, post: (path, body) => post(file, path, body, AbortSignal.timeout(limit)) };
};
