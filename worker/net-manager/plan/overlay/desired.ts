import { addressAt, familyOf, hexOf } from '../addresses.ts';
import { bridge, type Instance, linksOf } from '../instance.ts';
import type { Settings } from '../settings.ts';
import { peerLink } from './names.ts';
import type { Row, Service } from './rows.ts';

/** Another node: its address, and the port where it takes packets. */
type Peer = { readonly address: string; readonly port: number };

/** What the overlay is to hold for a table of services and the instances of this node. */
export type DesiredOverlay = {
  /** Other nodes, by the links that lead to them. */
  readonly peers: ReadonlyMap<string, Peer>;
  /** Where each instance address leads: a link to another node, or one of this node's instances. */
  readonly routes: ReadonlyMap<string, string>;
  /** What sets and maps of the tables hold, as `set key` or `map key : value`. */
  readonly elements: ReadonlySet<string>;
};

/** Into so many equal parts connections to a service are divided. Up to the last small one each instance has one part. */
const parts = { each: 16, sizes: [240, 960] } as const;

/** All sizes that a service's division can have. */
export const divisions: readonly number[] = [...Array.from({ length: parts.each }, (_, at) => at + 1), ...parts.sizes];

/** The least of the divisions that serves `count` instances fairly: differences are at most a part in four. */
const divisionOf = (count: number): number =>
  count <= parts.each ? count : (parts.sizes.find((size) => size >= 4 * count) ?? 960);

type Placed = { readonly row: Row; readonly link: string; readonly local: boolean };

/** The rows of a service that lead somewhere: to an instance of this node, or to another node. */
const placesOf = (settings: Settings, { name, rows }: Service, instances: readonly Instance[]): readonly Placed[] =>
  rows.flatMap((row): Placed[] => {
    const own = instances.find(({ service, instance }) => service === name && instance === row.number);
    if (own) {
      const link = settings.topology === 'bridged' ? bridge : linksOf(own).host;
      return [{ row: { ...row, inner: addressAt(settings.subnet, own.slot) }, link, local: true }];
    }
    return row.node ? [{ row, link: peerLink(row.node.address), local: false }] : [];
  });

/** The element by which a datagram of the node at `node` is taken whose packet comes from an instance's own address. */
export const senderElement = (node: string, instance: string): string =>
  `senders${familyOf(instance)} ${node} . ${hexOf(instance)}`;

/** The elements of one instance in one family; `family` is the end of its sets' names. */
const instanceElements = (
  { row: { node }, link, local }: Placed,
  [instance, inner]: readonly [string, string],
): readonly string[] => {
  const family = familyOf(instance);
  return [
    `known${family} ${instance}`,
    `inner${family} ${instance} : ${inner}`,
    ...(local
      ? [`instances${family} ${inner} : ${instance}`, `own${family} ${instance}`]
      : [`peers${family} ${link} . ${instance}`]),
    ...(node && !local ? [senderElement(node.address, instance)] : []),
  ];
};

const serviceElements = (address: string, choices: readonly string[]): readonly string[] => {
  const family = familyOf(address);
  const size = divisionOf(choices.length);
  return [
    `known${family} ${address}`,
    `pick${family} ${address} : goto pick_${size}`,
    ...Array.from({ length: size }, (_, at) => `choices${family} ${address} . ${at} : ${choices[at % choices.length]}`),
  ];
};

/**
 * What the overlay holds once everything is in place. It depends on what the table and the node hold and not on how
 * they came there: where two claim one address, this node's instance has it, else the service that is first by name.
 */
export const desiredOverlayOf = (
  settings: Settings,
  services: readonly Service[],
  instances: readonly Instance[],
): DesiredOverlay => {
  const ordered = services.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const placed = ordered.map((service) => ({ service, places: placesOf(settings, service, instances) }));
  const all = placed.flatMap(({ places }) => places);
  const peers = new Map<string, Peer>();
  const routes = new Map<string, string>();
  const elements = new Set<string>();
  const usable = new Set<string>();
  for (const place of [...all.filter((each) => each.local), ...all.filter((each) => !each.local)]) {
    const { row, link, local } = place;
    // One link leads to one address, whatever its port.
    if (row.node && !local && (peers.get(link)?.port ?? row.node.port) !== row.node.port) continue;
    for (const family of ['v4', 'v6'] as const) {
      const [instance, inner] = [row.instance[family], row.inner[family]];
      if (instance === undefined || inner === undefined || routes.has(instance)) continue;
      if (row.node && !local) peers.set(link, row.node);
      routes.set(instance, link);
      usable.add(`${instance} ${inner}`);
      for (const element of instanceElements(place, [instance, inner])) elements.add(element);
    }
  }
  const taken = new Set(routes.keys());
  for (const { service, places } of placed)
    for (const address of service.addresses) {
      if (taken.has(address)) continue;
      const key = familyOf(address) === 4 ? 'v4' : 'v6';
      const choices = places.flatMap(({ row }) => {
        const [instance, inner] = [row.instance[key], row.inner[key]];
        return instance !== undefined && usable.has(`${instance} ${inner}`) ? [instance] : [];
      });
      if (choices.length === 0) continue;
      taken.add(address);
      for (const element of serviceElements(address, [...new Set(choices)].toSorted().slice(0, 960)))
        elements.add(element);
    }
  return { peers, routes, elements };
};
