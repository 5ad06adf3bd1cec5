import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { run } from '../../system/run.ts';
import { ownTables } from '../plan/ruleset.ts';
import { readIptables } from '../port-owners/iptables.ts';
import { readNft } from '../port-owners/nft.ts';
import { ownerOf, type Table } from '../port-owners/owner.ts';

/** What other programs' rules map, at the moment of a look. */
export type Mapped = {
  /** The table and chain that map a port of this board; undefined when nobody does. */
  readonly owner: (port: { readonly host: number; readonly protocol: 'tcp' | 'udp' }) => string | undefined;
  /** Tables that could not be read, such as `ip nat`. */
  readonly unread: readonly string[];
};

const families = ['ip', 'ip6'] as const;
type Family = (typeof families)[number];

/** What a variant of iptables has in its table `nat`; nothing where it is not installed or cannot tell. */
const iptables = async (variant: 'nft' | 'legacy', family: Family): Promise<readonly Table[]> => {
  try {
    return readIptables(family, await run([`${family}tables-${variant}-save`, '-t', 'nat']));
  } catch {
    return [];
  }
};

/** A table's rules. Those of iptables, which nft shows in part or not at all, iptables itself is asked for as well. */
const readTable = async (name: string): Promise<readonly Table[] | undefined> => {
  const [family = '', table = ''] = name.split(' ');
  const managed = table === 'nat' && (family === 'ip' || family === 'ip6') ? iptables('nft', family) : [];
  // An nft that does not know an extension of iptables' may crash on it.
  const listed = run(['nft', 'list', 'table', family, table]).then(readNft, () => undefined);
  const [shown, saved] = await Promise.all([listed, managed]);
  const isWhole = saved.some(({ chains }) => chains.size > 0) || shown !== undefined;
  return isWhole ? [...(shown ?? []), ...saved] : undefined;
};

/** The tables of others that see packets before they are routed, which is where destinations are changed. */
const natTables = async (): Promise<readonly string[]> =>
  readNft(await run(['nft', 'list', 'chains'])).flatMap(({ name, chains }) => {
    const hooks = [...chains.values()].map(({ hook }) => hook);
    return !ownTables.includes(name) && (hooks.includes('prerouting') || hooks.includes('output')) ? [name] : [];
  });

/** The families whose table `nat` belongs to legacy iptables. */
const legacyFamilies = async (): Promise<readonly Family[]> => {
  const names = families.map(async (family) => {
    const text = await readFile(`/proc/net/${family}_tables_names`, 'utf8').catch(() => '');
    return text.split('\n').includes('nat') ? [family] : [];
  });
  return (await Promise.all(names)).flat();
};

/** Looks at the rules of all programs but this one. */
export const readMappings = async (): Promise<Mapped> => {
  const [names, legacy] = await Promise.all([natTables(), legacyFamilies()]);
  const [read, saved] = await Promise.all([
    Promise.all(names.map(readTable)),
    Promise.all(legacy.map((family) => iptables('legacy', family))),
  ]);
  const tables = [...read.flatMap((each) => each ?? []), ...saved.flat()];
  const unread = [
    ...names.filter((_, at) => read[at] === undefined),
    ...legacy.filter((_, at) => saved[at]?.length === 0).map((family) => `${family} nat of legacy iptables`),
  ];
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each?.map(({ address }) => address) ?? []);
  const locals = ['127.0.0.0/8', ...addresses];
  return { owner: (port) => ownerOf(tables, { ...port, locals }), unread };
};
