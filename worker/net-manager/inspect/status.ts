import { formatPorts } from '../../contract/ports.ts';
import { run } from '../../system/run.ts';
import { boardHolder } from '../board-lock.ts';
import type { Contents } from '../journal.ts';
import { packetsTo } from '../kernel/hold.ts';
import { standingInstances } from '../kernel/node.ts';
import { desiredByJournal, isOverlaid } from '../kernel/overlay.ts';
import { tableNames } from '../kernel/rules.ts';
import { addressAt, parseSubnet } from '../plan/addresses.ts';
import type { Instance } from '../plan/instance.ts';
import { objects, packetsIn } from '../plan/json.ts';
import { overlayTable, wireTable } from '../plan/overlay/names.ts';
import { calledBy, type Service } from '../plan/overlay/rows.ts';
import type { Settings } from '../plan/settings.ts';

const overlayStands = async (): Promise<boolean> => {
  const tables = await tableNames();
  return [overlayTable, wireTable].every((table) => tables.has(table));
};

/** What a look at the overlay's rules finds; undefined while they are not there, also when they go meanwhile. */
const whileOverlayStands = async <T>(look: () => Promise<T>): Promise<T | undefined> => {
  if (!(await overlayStands())) return undefined;
  try {
    return await look();
  } catch (error) {
    if (await overlayStands()) throw error;
    return undefined;
  }
};

/** Why a node whose journal has an overlay has none in the kernel: it is written down before it is made. */
const absence = async () => {
  const who = await boardHolder();
  return who === undefined
    ? {
        state: 'stopped',
        reason: 'the rules of the overlay are not there, and no NetManager runs that would make them',
      }
    : { state: 'starting', reason: `NetManager (${who}) has not made the rules of the overlay yet` };
};

/** Packets by the names of the counters of both tables; those of one name are added up. */
const countersOf = async (): Promise<ReadonlyMap<string, number>> => {
  const listed = await Promise.all(
    [overlayTable, wireTable].map(
      async (table): Promise<unknown> =>
        JSON.parse(await run(['nft', '-j', 'list', 'counters', 'table', ...table.split(' ')])),
    ),
  );
  return packetsIn(listed);
};

type Traffic = { readonly received: number; readonly sent: number };

/** Packets on the links to other nodes. */
const trafficOf = async (): Promise<ReadonlyMap<string, Traffic>> => {
  const listed: unknown = JSON.parse((await run(['ip', '-j', '-s', 'link', 'show', 'type', 'sit'])).trim() || '[]');
  return new Map(
    objects(listed).map(({ ifname, stats64 }) => {
      const [{ rx, tx } = {}] = objects([stats64]);
      const packets = (side: unknown) => Number(objects([side])[0]?.['packets'] ?? 0);
      return [String(ifname), { received: packets(rx), sent: packets(tx) }];
    }),
  );
};

const instanceOf = ({ number, instance, node }: Service['rows'][number], here: boolean) => ({
  ...{ number, ...instance },
  node: here ? 'here' : (node?.address ?? 'nowhere'),
});

const overlayOf = async (settings: Settings, contents: Contents, instances: readonly Instance[]) => {
  const { services = [] } = contents.overlay ?? {};
  const wanted = desiredByJournal(settings, contents, instances);
  const [counters, traffic, packets] = await Promise.all([countersOf(), trafficOf(), packetsTo()]);
  const isHere = (service: string, number: number) =>
    instances.some((instance) => instance.service === service && instance.instance === number);
  return {
    state: 'on',
    port: settings.tunnelPort,
    ranges: settings.services,
    peers: [...wanted.peers].map(([link, peer]) => ({
      ...{ ...peer, link },
      ...(traffic.get(link) ?? { received: 0, sent: 0 }),
    })),
    services: services.map((service) => ({
      name: service.name,
      addresses: service.addresses,
      instances: service.rows.map((row) => instanceOf(row, isHere(service.name, row.number))),
      packets: calledBy(service).reduce((sum, address) => sum + (packets.get(address) ?? 0), 0),
    })),
    counters: Object.fromEntries([...counters].toSorted()),
  };
};

/**
 * What this node's network is and does, as a JSON document: what the journal has and what the kernel has counted since
 * its rules were made. Packets of a service are those that instances here sent to it.
 */
export const statusText = async (settings: Settings | undefined, contents: Contents): Promise<string> => {
  const { registration, overlay, subnet, topology, entries } = contents;
  const instances = await standingInstances(contents);
  const addressOf = (slot: number) => subnet && addressAt(parseSubnet(subnet.address, subnet.addressv6), slot);
  const document = {
    ...{ registration, subnet, topology },
    instances: entries.map(({ instance: { service, instance, slot, ports }, ready }) => ({
      ...{ service, instance, ready, ...addressOf(slot), ports: formatPorts(ports) },
    })),
    overlay:
      settings && isOverlaid(contents)
        ? ((await whileOverlayStands(() => overlayOf(settings, contents, instances))) ?? (await absence()))
        : { state: overlay ? 'unavailable' : 'off', reason: overlay?.trouble },
  };
  return `${JSON.stringify(document, null, 2)}\n`;
};
