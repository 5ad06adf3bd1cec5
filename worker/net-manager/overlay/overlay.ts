import { networkInterfaces } from 'node:os';
import type { TableResult } from '../../contract/net-mqtt.ts';
import type { Log } from '../../system/log.ts';
import type { ServiceTable } from '../cluster/service-table.ts';
import { heldSourcesOf, missEvents, missedAddressIn, packetsTo, releaseHeld } from '../kernel/hold.ts';
import { familyOf, overlaps } from '../plan/addresses.ts';
import type { Instance } from '../plan/instance.ts';
import { senderElement } from '../plan/overlay/desired.ts';
import { calledBy, readAnswer } from '../plan/overlay/rows.ts';
import type { Settings } from '../plan/settings.ts';
import { monitor } from '../reconcile/monitor.ts';
import { openClaims } from './claims.ts';
import type { DataPath } from './data-path.ts';

/** The overlay between the cluster's table and the kernel. */
export type Overlay = Disposable & {
  /** Takes the cluster's answer for a service's name or an address. */
  readonly answered: (key: string, result: TableResult) => void;
};

/** Milliseconds: what is held waits so long in the kernel; services that nobody uses are looked for so often. */
const pace = { held: 6_000, negative: 10_000, look: 20_000, unused: 60_000 } as const;

/** Seconds for which a negative answer counts. */
const negativeSeconds = 5;

/** What the overlay works with. */
export type Parts = {
  readonly settings: Settings;
  readonly path: DataPath;
  readonly table: ServiceTable;
  readonly instances: () => readonly Instance[];
  /** Addresses that the cluster knows this node by, beside those of its interfaces. */
  readonly addresses: readonly string[];
  readonly log: Log;
};

const ownAddresses = (told: readonly string[]): ReadonlySet<string> =>
  new Set([
    ...told,
    ...Object.values(networkInterfaces()).flatMap((each) => each?.map(({ address }) => address) ?? []),
  ]);

/** Begins to lead packets between services, for a node whose data path stands. */
export const openOverlay = ({ settings, path, table, instances, addresses, log }: Parts): Overlay => {
  /** Addresses of services and instances for which packets are held. */
  const held = new Map<string, number>();
  const said = new Map<string, string>();
  /** Names and addresses whose answers are on their way into the kernel. */
  const taken = new Set<string>();
  /** Nodes whose held datagrams are being looked at. */
  const looking = new Set<string>();
  const used = new Map<string, { packets: number; at: number }>();

  const isService = (address: string): boolean => settings.services.some((network) => overlaps(network, address));
  const serviceAt = (address: string) => path.services.find((service) => calledBy(service).includes(address));
  const isKnown = (address: string): boolean => path.desired.elements.has(`known${familyOf(address)} ${address}`);
  const claims = openClaims({
    isFrom: (node, source) => path.desired.elements.has(senderElement(node, source)),
    pace: { denied: 1_000 * negativeSeconds, held: pace.held },
    now: () => performance.now(),
  });

  /** Lets go whatever can go by now. */
  const settleHeld = async (): Promise<void> => {
    const now = performance.now();
    for (const [address, since] of held) if (now - since > pace.held) held.delete(address);
    const ready = [...held.keys()].filter(isKnown);
    for (const address of ready) held.delete(address);
    await releaseHeld(ready);
  };

  const refuse = async (address: string): Promise<void> => {
    await path.refuse(address, negativeSeconds);
    held.delete(address);
    await releaseHeld([address]);
    setTimeout(() => {
      if (!serviceAt(address)) table.drop(address);
    }, pace.negative).unref();
  };

  const tell = (name: string, left: readonly string[]): void => {
    const text = left.filter((each) => !each.endsWith('not deployed yet')).join('; ');
    if (text !== '' && said.get(name) !== text) log.warn(`left out of ${name}: ${text}`);
    said.set(name, text);
  };

  const take = async (key: string, result: TableResult): Promise<void> => {
    const { service, left } = readAnswer(result, { settings, own: ownAddresses(addresses) });
    const asked = isService(key);
    const found = service && (asked ? calledBy(service).includes(key) : service.name === key) ? service : undefined;
    tell(service?.name ?? key, left);
    if (!found) {
      if (!asked) return;
      await refuse(key);
      await releaseHeld(claims.answered((source) => source === key));
      return;
    }
    if (asked) table.adopt(key, found.name);
    await path.learn({ service: found });
    used.set(found.name, { packets: used.get(found.name)?.packets ?? 0, at: performance.now() });
    // An instance here without an address of its own can neither call nor be called.
    const numbers = new Set(found.rows.map(({ number }) => number));
    const isMissing = (instance: Instance) => instance.service === found.name && !numbers.has(instance.instance);
    if (instances().some(isMissing)) table.askLater(found.name);
    // What belongs to a service that runs nowhere is no address that anybody could be reached at.
    const of = (address: string) => address === key || serviceAt(address)?.name === found.name;
    for (const address of held.keys()) if (of(address) && !isKnown(address)) await refuse(address);
    await releaseHeld(claims.answered(of));
    await settleHeld();
  };

  const safely = (work: Promise<unknown>): void =>
    void work.catch((error: unknown) => log.warn(`the overlay: ${(error as Error).message}`));

  /** Asks after an address, by its service's name where that is known. */
  const ask = (address: string): void => {
    if (!taken.has(address)) table.ask(serviceAt(address)?.name ?? address);
  };

  /** Packets to an address of the overlay are held, or datagrams of the node with this address. */
  const missed = async (address: string): Promise<void> => {
    if (isService(address)) {
      if (!held.has(address)) held.set(address, performance.now());
      if (isKnown(address)) await settleHeld();
      else ask(address);
      return;
    }
    // The kernel says it once a second; to look takes longer than that on a busy board.
    if (looking.has(address)) return;
    looking.add(address);
    const sources = await heldSourcesOf(address).finally(() => looking.delete(address));
    const asked = claims.claim(address, sources.filter(isService));
    if (asked.length === 0) await releaseHeld([address]);
    for (const source of asked) ask(source);
  };

  /** Forgets services that no instance here is of and none has used for a while; those in use are asked after again. */
  const look = async (): Promise<void> => {
    const packets = await packetsTo();
    const now = performance.now();
    for (const service of path.services) {
      const { name } = service;
      const count = calledBy(service).reduce((sum, address) => sum + (packets.get(address) ?? 0), 0);
      const before = used.get(name);
      const local = instances().some((instance) => instance.service === name);
      if (before === undefined || count !== before.packets || local) used.set(name, { packets: count, at: now });
      else if (now - before.at > pace.unused) {
        used.delete(name);
        said.delete(name);
        table.drop(name);
        await path.learn({ forget: name });
        continue;
      }
      table.refresh(name, pace.unused);
    }
  };

  const misses = monitor(
    missEvents,
    {
      line: (line) => {
        const address = missedAddressIn(line);
        if (address !== undefined) safely(missed(address));
      },
      missed: () => undefined,
    },
    log,
  );
  const timer = setInterval(() => safely(look()), pace.look).unref();
  for (const { name } of path.services) table.ask(name);
  return {
    answered: (key, result) => {
      taken.add(key);
      safely(take(key, result).finally(() => taken.delete(key)));
    },
    [Symbol.dispose]: () => {
      clearInterval(timer);
      misses[Symbol.dispose]();
    },
  };
};
