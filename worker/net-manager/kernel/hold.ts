import { run } from '../../system/run.ts';
import { canonicalOf } from '../plan/addresses.ts';
import { nftObjects, objects } from '../plan/json.ts';
import { hold, overlayTable, wireTable } from '../plan/overlay/names.ts';
import { ipBatch } from './ip.ts';

/** The address that an event of `ip -o monitor neigh` says is missed at the end where packets are held. */
export const missedAddressIn = (line: string): string | undefined => {
  const [, address, link] = /\bmiss\s+(\S+) dev (\S+)/.exec(line) ?? [];
  return address !== undefined && link === hold.near ? canonicalOf(address) : undefined;
};

/** What tells of packets that are held. */
export const missEvents = ['ip', '-o', 'monitor', 'neigh'] as const;

/** Lets go what is held for addresses: it comes in again and is judged by what the tables hold now. */
export const releaseHeld = async (addresses: readonly string[]): Promise<void> => {
  if (addresses.length === 0) return;
  const commands = addresses.flatMap((address) => [
    `neigh replace ${address} lladdr ${hold.farMac} dev ${hold.near} nud reachable`,
    `neigh del ${address} dev ${hold.near}`,
  ]);
  await ipBatch(commands, ['-force']);
};

type Listed = { readonly set?: { readonly elem?: readonly unknown[] } };

/** So long may a listing take, in ms, on a busy board. */
const patienceMs = 60_000;

/** The elements of a set, as `nft -j` lists them. */
const elementsOf = async (table: string, set: string): Promise<readonly unknown[]> => {
  const command = ['nft', '-j', 'list', 'set', ...table.split(' '), set] as const;
  const listed: unknown = JSON.parse(await run(command, { timeoutMs: patienceMs }));
  return nftObjects(listed).flatMap((each) => (each as Listed).set?.elem ?? []);
};

/** An element without what nft says of it: when it goes, what it has counted. */
const valueIn = (element: unknown): unknown => {
  const [{ elem } = {}] = objects([element]);
  return elem === undefined ? element : (elem as { val?: unknown }).val;
};

const addressFrom = (value: unknown, family: 4 | 6): string | undefined => {
  if (typeof value === 'string')
    return value.includes('.') || value.includes(':') ? canonicalOf(value) : addressFrom(BigInt(value), family);
  if (typeof value !== 'number' && typeof value !== 'bigint') return undefined;
  const digits = BigInt(value).toString(16);
  if (family === 4)
    return (digits.padStart(8, '0').match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).join('.');
  return canonicalOf((digits.padStart(32, '0').match(/..../g) ?? []).join(':'));
};

/** The inner sources of the datagrams that are held for the node with this address. */
export const heldSourcesOf = async (node: string): Promise<readonly string[]> => {
  const families = await Promise.all(
    ([4, 6] as const).map(async (family) =>
      (await elementsOf(wireTable, `claims${family}`)).flatMap((element) => {
        const [{ concat } = {}] = objects([valueIn(element)]);
        const [from, source] = Array.isArray(concat) ? (concat as unknown[]) : [];
        return from === node ? [addressFrom(source, family) ?? []].flat() : [];
      }),
    ),
  );
  return families.flat();
};

/** How many packets instances here have sent to each address that is known. */
export const packetsTo = async (): Promise<ReadonlyMap<string, number>> => {
  const families = await Promise.all([4, 6].map((family) => elementsOf(overlayTable, `known${family}`)));
  return new Map(
    families.flat().flatMap((element) => {
      const [{ elem } = {}] = objects([element]);
      const [{ val, counter } = {}] = objects([elem]);
      const [{ packets } = {}] = objects([counter]);
      return typeof val === 'string' ? [[canonicalOf(val), Number(packets ?? 0)] as const] : [];
    }),
  );
};
