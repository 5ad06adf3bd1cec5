import { isIPv4, isIPv6 } from 'node:net';
import Type, { type Static } from 'typebox';
import { isServiceName } from '../../../contract/names.ts';
import type { TableResult } from '../../../contract/net-mqtt.ts';
import { canonicalOf, networkOf, overlaps } from '../addresses.ts';
import type { Settings } from '../settings.ts';

const pair = Type.Object({ v4: Type.Optional(Type.String()), v6: Type.Optional(Type.String()) });
type Pair = Static<typeof pair>;

/** One instance of a service, by what the cluster says of it. Addresses are in the form in which the kernel writes them. */
const Row = Type.Object({
  number: Type.Integer({ minimum: 0 }),
  /** The address that stands for this instance alone. */
  instance: pair,
  /** The address in its namespace. */
  inner: pair,
  /** Where its node takes packets; none for this node. */
  node: Type.Optional(Type.Object({ address: Type.String(), port: Type.Integer({ minimum: 1, maximum: 65_535 }) })),
});
export type Row = Static<typeof Row>;

/** A service: the addresses that stand for any of its instances, and the instances. */
export const Service = Type.Object({
  name: Type.String(),
  addresses: Type.Array(Type.String()),
  rows: Type.Array(Row),
});
export type Service = Static<typeof Service>;

/** A service out of an answer, and what of the answer was left out, in sentences. */
export type Read = { readonly service: Service | undefined; readonly left: readonly string[] };

/** What an answer is read with: the ranges, and the addresses of this node. */
export type Reader = { readonly settings: Settings; readonly own: ReadonlySet<string> };

/** More rows than these are no answer. A node has 61 instances, and a service one address for each. */
const most = { rows: 960, addresses: 64 } as const;

/** Addresses of no single host that others could reach: this network, loopback, link-local, multicast, reserved. */
const nobody = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/127', 'fe80::/10', 'ff00::/8'];

/** The networks that instances' own addresses can be in: private ones (RFC 1918, RFC 4193). */
const privates = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'];

const isIn = (address: string, networks: readonly string[]): boolean =>
  networks.some((network) => overlaps(address, network));

const addressIn = (text: string | undefined, is: (text: string) => boolean): string | undefined =>
  text !== undefined && is(text) && !text.includes('%') ? canonicalOf(text) : undefined;

const v4In = (text: string | undefined) => addressIn(text, isIPv4);
const v6In = (text: string | undefined) => addressIn(text, isIPv6);

const pairOf = (v4: string | undefined, v6: string | undefined): Pair => ({
  ...(v4 !== undefined && { v4 }),
  ...(v6 !== undefined && { v6 }),
});

type Entry = TableResult['instance_list'][number];

/** Why a row is of no use, or the row. */
const rowOf = (entry: Entry, { settings, own }: Reader): Row | string => {
  const { services, subnet } = settings;
  const { instance_number: number, host_ip, host_port: port = 50_103 } = entry;
  const isService = (address: string | undefined) => address !== undefined && isIn(address, services);
  const [instance4, instance6] = [v4In(entry.instance_ip), v6In(entry.instance_ip_v6)];
  const instance = pairOf(isService(instance4) ? instance4 : undefined, isService(instance6) ? instance6 : undefined);
  if (number < 0) return `instance ${number}: no number of an instance`;
  if (instance.v4 === undefined && instance.v6 === undefined)
    return `instance ${number}: '${entry.instance_ip ?? ''}' is no service address`;
  // An instance that is not deployed yet has no addresses (contract, section 9).
  if (!host_ip) return `instance ${number}: not deployed yet`;
  if (own.has(host_ip)) return { number, instance, inner: {} };
  const address = v4In(host_ip);
  if (address === undefined || isIn(address, [...nobody, ...services, networkOf(subnet).v4]))
    return `instance ${number}: '${host_ip}' is no IPv4 address of another node`;
  if (port < 1 || port > 65_535) return `instance ${number}: ${port} is no port`;
  const isInner = (one: string | undefined, subnetOfOurs: string) =>
    one !== undefined && isIn(one, privates) && !isIn(one, [...services, subnetOfOurs]);
  const [inner4, inner6] = [v4In(entry.namespace_ip), v6In(entry.namespace_ip_v6)];
  const ours = networkOf(subnet);
  const inner = pairOf(isInner(inner4, ours.v4) ? inner4 : undefined, isInner(inner6, ours.v6) ? inner6 : undefined);
  const both = {
    instance: pairOf(inner.v4 && instance.v4, inner.v6 && instance.v6),
    inner: pairOf(instance.v4 && inner.v4, instance.v6 && inner.v6),
  };
  if (both.inner.v4 === undefined && both.inner.v6 === undefined)
    return `instance ${number}: '${entry.namespace_ip ?? ''}' is no address of an instance of another node`;
  return { number, ...both, node: { address, port } };
};

const addressesOf = (entries: readonly Entry[], { services }: Settings): readonly string[] => {
  const listed = entries.flatMap((entry) =>
    entry.service_ip
      .filter(({ IpType }) => IpType !== 'instance_ip')
      .flatMap(({ Address, Address_v6 }) => [v4In(Address) ?? [], v6In(Address_v6) ?? []].flat()),
  );
  return [...new Set(listed)]
    .filter((address) => isIn(address, services))
    .toSorted()
    .slice(0, most.addresses);
};

/**
 * Reads an answer of the cluster's table. A row that points out of the overlay, or at nothing, is left out and takes no
 * other along; with an unusable name there is no service.
 */
export const readAnswer = (result: TableResult, reader: Reader): Read => {
  const { app_name: name = '', instance_list: entries } = result;
  if (!isServiceName(name)) return { service: undefined, left: [] };
  const read = entries.slice(0, most.rows).map((entry) => rowOf(entry, reader));
  const left = read.filter((row) => typeof row === 'string');
  const rows = [...new Map(read.flatMap((row) => (typeof row === 'string' ? [] : [[row.number, row]]))).values()];
  return {
    service: {
      name,
      addresses: [...addressesOf(entries, reader.settings)],
      rows: rows.toSorted((a, b) => a.number - b.number),
    },
    left: [
      ...left,
      ...(entries.length > most.rows ? [`${entries.length - most.rows} rows beyond the first ${most.rows}`] : []),
    ],
  };
};

/** All addresses by which a service, or one of its instances, is called. */
export const calledBy = ({ addresses, rows }: Service): readonly string[] => [
  ...addresses,
  ...rows.flatMap(({ instance }) => [instance.v4 ?? [], instance.v6 ?? []].flat()),
];
