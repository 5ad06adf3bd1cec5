import { bridge, hostLinkMark, trialLink } from './instance.ts';
import { nftObjects, objects } from './json.ts';
import { ownTables } from './ruleset.ts';

/** What `nft` lists of the chains of a board. */
export type Chains = {
  /** The tables, as `family table`. */
  readonly tables: ReadonlySet<string>;
  /** The chains that forwarded packets pass, as `family table chain`; none of them is ours. */
  readonly forward: readonly string[];
};

/** Reads the output of `nft -j list chains`. */
export const readChains = (json: unknown): Chains => {
  const chains = nftObjects(json).flatMap(({ chain }) => objects([chain]));
  const tableOf = ({ family, table }: Readonly<Record<string, unknown>>) => `${String(family)} ${String(table)}`;
  return {
    tables: new Set(chains.map(tableOf)),
    forward: chains
      .filter((chain) => chain['hook'] === 'forward' && !ownTables.includes(tableOf(chain)))
      .map((chain) => `${tableOf(chain)} ${String(chain['name'])}`),
  };
};

/** Kinds of interfaces that containers and virtual machines hang on a bridge with. */
const virtual = ['veth', 'tun', 'macvtap'];

/**
 * The interfaces that lead to other machines, from the output of `ip -j -d addr show`: those with an address of their
 * own, except bridges that nothing but containers and virtual machines of this board is on.
 */
export const readOutward = (json: unknown): readonly string[] => {
  const links = objects(json).map((link) => {
    const info = objects([link['linkinfo']])[0];
    return {
      name: String(link['ifname']),
      master: link['master'],
      kind: info?.['info_kind'],
      loopback: link['link_type'] === 'loopback',
      addressed: objects(link['addr_info']).some(({ scope }) => scope === 'global'),
    };
  });
  const isPrivate = (name: string) =>
    links.every(({ master, kind }) => master !== name || virtual.includes(String(kind)));
  return links
    .filter(
      ({ name, loopback, addressed }) =>
        addressed && !loopback && ![bridge, trialLink].includes(name) && !name.startsWith(hostLinkMark),
    )
    .filter(({ name, kind }) => kind !== 'bridge' || !isPrivate(name))
    .map(({ name }) => name);
};
