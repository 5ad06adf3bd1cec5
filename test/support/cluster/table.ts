import { setTimeout as delay } from 'node:timers/promises';
import { type Listening, startBroker } from './broker.ts';

type Row = Record<string, unknown> & { readonly instance_number: number };
type Body = Record<string, string>;

/** The subnets of the nodes by their ids. */
const subnets: Readonly<Record<string, object>> = {
  a: { address: '10.18.0.0', addressv6: 'fc00::' },
  b: { address: '10.18.0.64', addressv6: 'fc00::100' },
};

/** From this number on services have a block of 4,096 IPv4 addresses for each use, from 10.30.128.0 on. */
const blocksFrom = 128;

const inBlock = (block: number, service: number) => `10.30.${128 + 16 * block + (service >> 8)}.${service & 255}`;

/**
 * The addresses of the test's services: any instance's, and each instance's own. Services below 128 may have 255
 * instances, those below 4,096 seven.
 */
export const addresses = (service: number) => ({
  any: { v4: service < blocksFrom ? `10.30.0.${service}` : inBlock(0, service), v6: `fdff:2000::${service}` },
  of: (instance: number) => ({
    v4: service < blocksFrom ? `10.30.${service}.${instance + 1}` : inBlock(instance + 1, service),
    v6: `fdff::${service}:${instance + 1}`,
  }),
});

/** The service that an address is of, or 0. */
export const serviceAt = (address: string): number => {
  const [, third = '', fourth = ''] = /^10\.30\.(\d+)\.(\d+)$/.exec(address) ?? [];
  if (Number(third) >= 128) return ((Number(third) & 15) << 8) | Number(fourth);
  const [, any, one] = /^fdff:2000::(\d+)$|^fdff::(\d+):\d+$/.exec(address) ?? [];
  return Number(any ?? one ?? (third === '0' ? fourth : third));
};

/**
 * A cluster with a table of services: `app.ns.s1.ns` is service 1, and so on. It learns where instances are from the
 * nodes, as a real one does, and announces what changes. `change` sees every answer before it is sent.
 */
export const startTableCluster = async (listening: Listening = {}) => {
  const rows = new Map<string, Map<number, Row>>();
  const queries: Body[] = [];
  const removed: string[] = [];
  const control = {
    delayMs: 0,
    change: (result: Record<string, unknown>): Record<string, unknown> | undefined => result,
  };

  const numberOf = (name: string) => Number(/\.s(\d+)\./.exec(name)?.[1] ?? 0);
  const answer = ({ sname = '', sip = '' }: Body) => {
    const name = sname || `app.ns.s${serviceAt(sip)}.ns`;
    const list = [...(rows.get(name)?.values() ?? [])];
    return { app_name: list.length > 0 ? name : sname, query_key: sname || sip, instance_list: list };
  };
  const announce = (name: string) =>
    Promise.all(
      [name, addresses(numberOf(name)).any.v4, addresses(numberOf(name)).any.v6].map((key) =>
        broker.publish(`jobs/${key}/updates_available`, { type: 'DEPLOYMENT' }),
      ),
    );

  const place = async (name: string, row: Row): Promise<void> => {
    const own = addresses(numberOf(name));
    const [any, one] = [own.any, own.of(row.instance_number)];
    const all = rows.get(name) ?? new Map<number, Row>();
    rows.set(name, all);
    all.set(row.instance_number, {
      ...{ instance_ip: one.v4, instance_ip_v6: one.v6 },
      service_ip: [
        { IpType: 'RR', Address: any.v4, Address_v6: any.v6 },
        { IpType: 'instance_ip', Address: one.v4, Address_v6: one.v6 },
      ],
      ...row,
    });
    await announce(name);
  };

  const take = async (id: string, what: string, body: Body): Promise<void> => {
    if (what === 'subnet') await broker.publish(`nodes/${id}/net/subnetwork/result`, subnets[id]);
    if (what === 'interest/remove') removed.push(body['appname'] ?? '');
    if (what === 'service/deployed')
      await place(body['appname'] ?? '', {
        instance_number: Number(body['instance_number']),
        ...{ namespace_ip: body['nsip'], namespace_ip_v6: body['nsipv6'] },
        ...{ host_ip: body['host_ip'], host_port: Number(body['host_port']) },
      });
    if (what === 'tablequery/request') {
      queries.push(body);
      await delay(control.delayMs);
      const result = control.change(answer(body));
      if (result) await broker.publish(`nodes/${id}/net/tablequery/result`, result);
    }
  };
  const broker = await startBroker(listening, {
    received: ({ topic, body }) => {
      const [, id, what] = /^nodes\/([^/]+)\/net\/(.+)$/.exec(topic) ?? [];
      if (id && what) void take(id, what, body as Body);
    },
  });
  return {
    ...broker,
    control,
    queries,
    removed,
    /** Puts a row into the table, or another in its place, and announces it. */
    place,
    /** Takes an instance out of the table and announces it. */
    remove: async (name: string, instance: number) => {
      rows.get(name)?.delete(instance);
      await announce(name);
    },
    announce,
  };
};
