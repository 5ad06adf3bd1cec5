import { objects } from './json.ts';

/** What the kernel says of a network interface. */
export type LinkState = {
  readonly up: boolean;
  readonly mtu: number;
  readonly mac: string;
  readonly master: string | undefined;
  readonly hairpin: boolean;
  /** The kernel's number for the namespace that the other end is in. */
  readonly peerSpace: number | undefined;
};

/** Interfaces, addresses and routes of one network namespace. */
export type Place = {
  readonly links: ReadonlyMap<string, LinkState>;
  /** As {@link addressFact} writes them. */
  readonly addresses: ReadonlySet<string>;
  /** As {@link routeFact} writes them. */
  readonly routes: ReadonlySet<string>;
};

/** What stands on a board of all that a plan is about. */
export type Observed = Place & {
  readonly namespaces: ReadonlySet<string>;
  /** Kernel settings by their keys under `/proc/sys`; one that this kernel has not got is missing. */
  readonly settings: ReadonlyMap<string, string>;
  /** The insides of instances' namespaces, by name, of those that were looked into. */
  readonly inside: ReadonlyMap<string, Place>;
  /** Our tables that are as they were made, by the names that steps make them by. */
  readonly rules: ReadonlySet<string>;
  /** The UDP ports at which the kernel takes packets in datagrams of UDP. */
  readonly receivers: ReadonlySet<number>;
};

/** What facts are about beside one namespace's links, addresses and routes. */
export type Board = Partial<Pick<Observed, 'namespaces' | 'receivers'>>;

/** A fact of the kernel that a change makes true. */
export type Fact =
  | { readonly namespace: string }
  | { readonly link: string; readonly has?: Partial<LinkState> }
  | { readonly address: string }
  | { readonly route: string }
  | { readonly receiver: number }
  | { readonly gone: { readonly link: string } | { readonly route: string } };

/** An address with its prefix length on an interface. */
export const addressFact = (address: string, link: string): string => `${address} on ${link}`;

/** A route by its target (an address without prefix length for one host), as `ip route` writes it, and where it leads. */
export const routeFact = (target: string, where: { readonly link?: string; readonly via?: string }): string =>
  [target, where.via && `via ${where.via}`, where.link && `by ${where.link}`].filter(Boolean).join(' ');

/** True when a fact holds in a namespace of a board. */
export const holds = (fact: Fact, place: Place, board: Board = {}): boolean => {
  if ('gone' in fact) return !holds(fact.gone, place);
  if ('receiver' in fact) return board.receivers?.has(fact.receiver) === true;
  if ('namespace' in fact) return board.namespaces?.has(fact.namespace) === true;
  if ('address' in fact) return place.addresses.has(fact.address);
  if ('route' in fact) return place.routes.has(fact.route);
  const link = place.links.get(fact.link);
  if (!link) return false;
  return Object.entries(fact.has ?? {}).every(([key, value]) => link[key as keyof LinkState] === value);
};

/** A fact in words, as what another program took away. */
export const factText = (fact: Fact): string => {
  if ('gone' in fact) return `no ${factText(fact.gone)}`;
  if ('receiver' in fact) return `receiver at UDP port ${fact.receiver}`;
  if ('namespace' in fact) return `namespace ${fact.namespace}`;
  if ('address' in fact) return `address ${fact.address}`;
  if ('route' in fact) return `route ${fact.route}`;
  const settings = Object.entries(fact.has ?? {}).map(([key, value]) => ` ${key} ${value}`);
  return `link ${fact.link}${settings.join(',')}`;
};

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const inner = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;

/** Reads the output of `ip -j -d addr show`. */
export const readLinks = (json: unknown): Pick<Place, 'links' | 'addresses'> => {
  const links = new Map<string, LinkState>();
  const addresses = new Set<string>();
  for (const link of objects(json)) {
    const name = text(link['ifname']);
    if (name === undefined) continue;
    const { flags } = link;
    links.set(name, {
      up: Array.isArray(flags) && flags.includes('UP'),
      mtu: Number(link['mtu']),
      mac: text(link['address']) ?? '',
      master: text(link['master']),
      hairpin: inner(inner(link['linkinfo'], 'info_slave_data'), 'hairpin') === true,
      peerSpace: typeof link['link_netnsid'] === 'number' ? link['link_netnsid'] : undefined,
    });
    for (const { local, prefixlen } of objects(link['addr_info']))
      addresses.add(addressFact(`${String(local)}/${String(prefixlen)}`, name));
  }
  return { links, addresses };
};

/** Reads the output of `ip -j fou show`. */
export const readReceivers = (json: unknown): ReadonlySet<number> =>
  new Set(objects(json).flatMap(({ port, gue }) => (gue === undefined ? [] : [Number(port)])));

/** Reads the output of `ip -j route show` of one family. */
export const readRoutes = (json: unknown): readonly string[] =>
  objects(json).map((route) => {
    const type = text(route['type']);
    const target = `${type === undefined || type === 'unicast' ? '' : `${type} `}${String(route['dst'])}`;
    const [link, via] = [text(route['dev']), text(route['gateway'])];
    // The kernel names a device of its own choice for what it refuses.
    const where = target.includes(' ') ? {} : { ...(link && { link }), ...(via && { via }) };
    return routeFact(target, where);
  });
