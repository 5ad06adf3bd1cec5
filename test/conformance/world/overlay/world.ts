import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { deadline, until } from '../../../../lab/system/wait.ts';
import { addresses, startTableCluster } from '../../../support/cluster/table.ts';
import { openBoard } from '../board.ts';
import type { Daemon } from '../daemon.ts';
import { labAddress } from '../namespaces.ts';
import { openNetManager } from '../net-manager.ts';
import { type Happening, type Inside, openInside } from './inside.ts';
import { openPeer, type Peer } from './peer.ts';

export type Both = { readonly v4: string; readonly v6: string };

/** An instance on the board: what runs in it, and its addresses. */
export type Local = Inside & { readonly own: Both; readonly inner: Both };

/** An instance on another node, by its row in the cluster's table. */
export type Remote = { readonly peer: Peer; readonly own: Both; readonly inner: Both };

/** A board with the net manager under test, a cluster with a table of services, and two other nodes on the wire. */
export type OverlayWorld = AsyncDisposable & {
  readonly board: Both;
  readonly cluster: Awaited<ReturnType<typeof startTableCluster>>;
  readonly peers: readonly [Peer, Peer];
  /** One that the cluster's table does not know. */
  readonly stranger: Peer;
  readonly log: () => string;
  /** Deploys an instance of a service by its number. */
  readonly deploy: (service: number, instance?: number) => Promise<Local>;
  /** Writes an instance on another node into the cluster's table, and announces it. */
  readonly place: (service: number, instance: number, peer: Peer, changes?: object) => Promise<Remote>;
  /** Takes it out of the table, and announces that. */
  readonly remove: (service: number, instance: number) => Promise<void>;
  /** What `look` gives as soon as it gives something; after `ms` it is too late. */
  readonly until: <T>(awaited: string, look: () => T | undefined | Promise<T | undefined>, ms?: number) => Promise<T>;
};

export const nameOf = (service: number): string => `app.ns.s${service}.ns`;

/** What happened to a socket. */
export const happened = (
  { happenings }: Inside,
  name: string,
  what: Happening['what'],
  text?: string,
): Happening | undefined =>
  happenings.find((one) => one.name === name && one.what === what && (text === undefined || one.text === text));

/** The ranges of IPv6 as a cluster gives them out; what is shipped has others, and no service addresses. */
const tuncfg = { ProxySubnetworkIPv6: 'fdff::', ProxySubnetworkIPv6Prefix: 16 };

/** The most that one thing may take on native hardware. */
const waitMs = 6_000;

/** Opens it below a folder. `timeoutFactor`: how much longer than on native hardware things may take. */
export const openOverlayWorld = async (folder: string, timeoutFactor: number): Promise<OverlayWorld> => {
  await using undo = new AsyncDisposableStack();
  const cluster = undo.use(await startTableCluster({ host: labAddress.v4 }));
  const board = undo.use(await openBoard(folder));
  const peer = async (number: number) => undo.use(await openPeer(`192.168.50.${number}`, board.v4));
  const [near, far, stranger] = [await peer(101), await peer(102), await peer(103)];
  const insides = undo.use(new AsyncDisposableStack());
  const programs = join(folder, 'programs');
  await mkdir(programs, { recursive: true });
  const daemons: Daemon[] = [];
  const started = (daemon: Daemon) => void daemons.push(daemon);
  const place = { board, programs, brokerPort: cluster.port, timeoutFactor, started };
  const manager = await openNetManager(place, { WasmTopology: 'bridged' }, tuncfg);
  const wait: OverlayWorld['until'] = async (awaited, look, ms = waitMs * timeoutFactor) =>
    await until(look, deadline(ms, awaited));
  // A slow board may not have its addresses in time: a node engine asks again, too.
  await wait('the registration', async () => {
    const { status } = await manager.post('/register', { client_id: 'a', cluster_address: labAddress.v4 });
    return status === 200 || undefined;
  });
  const world: Omit<OverlayWorld, keyof AsyncDisposable> = {
    board,
    cluster,
    peers: [near, far],
    stranger,
    log: () => daemons.map((daemon) => daemon.log()).join('\n'),
    deploy: async (service, instance = 0) => {
      const body = { pid: 0, serviceName: nameOf(service), instanceNumber: instance, portMappings: '' };
      const reply = await manager.post('/wasm/deploy', body);
      if (reply.status !== 200) throw new Error(`/wasm/deploy was answered ${reply.status}: ${reply.text}`);
      const { nsAddress, nsAddressV6 } = reply.json();
      const inside = insides.use(openInside(board.inside(`${nameOf(service)}.instance.${instance}`)));
      return { ...inside, own: addresses(service).of(instance), inner: { v4: `${nsAddress}`, v6: `${nsAddressV6}` } };
    },
    place: async (service, instance, on, changes = {}) => {
      const node = on.address.split('.')[3];
      const inner = { v4: `10.18.${node}.${service}`, v6: `fc00::${node}:${service}` };
      await cluster.place(nameOf(service), {
        ...{ instance_number: instance, namespace_ip: inner.v4, namespace_ip_v6: inner.v6 },
        ...{ host_ip: on.address, host_port: 50_103, ...changes },
      });
      return { peer: on, inner, own: addresses(service).of(instance) };
    },
    remove: (service, instance) => cluster.remove(nameOf(service), instance),
    until: wait,
  };
  const opened = undo.move();
  return { ...world, [Symbol.asyncDispose]: () => opened.disposeAsync() };
};
