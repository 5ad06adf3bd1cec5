import type { Static } from 'typebox';
import type { ServiceDeployed, TableQuery, TableResult } from '../../worker/contract/net-mqtt.ts';

type Row = TableResult['instance_list'][number];
type ServiceIp = Required<Row['service_ip'][number]>;

type Service = {
  readonly name: string;
  readonly roundRobin: ServiceIp;
  readonly addresses: Map<number, ServiceIp>;
  readonly deployed: Map<number, Static<typeof ServiceDeployed>>;
};

/**
 * Which instances of which service are where, and the service addresses that stand for them: 10.30.x.y, fdff:2000::
 * (round robin) and fdff:: (instances), handed out in order and kept for good (contract, sections 5 and 6).
 */
export class ServiceTable {
  readonly #services = new Map<string, Service>();
  /** What was queried, a name or an address, and the service that it means. */
  readonly #interests = new Map<string, string>();
  #given = 1;

  #address(type: 'RR' | 'instance_ip'): ServiceIp {
    this.#given += 1;
    const n = this.#given;
    const prefix = type === 'RR' ? 'fdff:2000::' : 'fdff::';
    return { IpType: type, Address: `10.30.${n >> 8}.${n & 255}`, Address_v6: `${prefix}${n.toString(16)}` };
  }

  /** Gives a service and its instance their addresses; the same ones when it is called again. */
  schedule(name: string, instance: number): void {
    const known = this.#services.get(name);
    const service = known ?? {
      name,
      roundRobin: this.#address('RR'),
      addresses: new Map(),
      deployed: new Map(),
    };
    this.#services.set(name, service);
    if (!service.addresses.has(instance)) service.addresses.set(instance, this.#address('instance_ip'));
  }

  /** Records where an instance is reachable. */
  deployed(message: Static<typeof ServiceDeployed>): void {
    this.#services.get(message.appname)?.deployed.set(message.instance_number, message);
  }

  /** Forgets where an instance was; says whether it was anywhere. */
  removed(name: string, instance: number): boolean {
    return this.#services.get(name)?.deployed.delete(instance) ?? false;
  }

  /**
   * What a table query is answered: all instances that are deployed, by name or by any service address. Who asked is
   * told of changes from now on.
   */
  answer(query: TableQuery): TableResult {
    const service = query.sname === '' ? this.#at(query.sip) : this.#services.get(query.sname);
    const key = query.sname === '' ? query.sip : query.sname;
    const name = service?.name ?? query.sname;
    this.#interests.set(key, name);
    return { app_name: name, query_key: key, instance_list: service ? rows(service) : [] };
  }

  /** The names and addresses under which somebody wants to hear of changes to `name`. */
  interestsIn(name: string): readonly string[] {
    return [...this.#interests].filter(([, service]) => service === name).map(([key]) => key);
  }

  dropInterestIn(name: string): void {
    for (const key of this.interestsIn(name)) this.#interests.delete(key);
  }

  #at(address: string): Service | undefined {
    const is = (ip: ServiceIp) => ip.Address === address || ip.Address_v6 === address;
    return [...this.#services.values()].find(
      ({ roundRobin, addresses }) => is(roundRobin) || [...addresses.values()].some(is),
    );
  }
}

const rows = ({ roundRobin, addresses, deployed }: Service): Row[] =>
  [...deployed.values()].flatMap((message): Row[] => {
    const own = addresses.get(message.instance_number);
    if (!own) return [];
    return [
      {
        instance_number: message.instance_number,
        namespace_ip: message.nsip,
        namespace_ip_v6: message.nsipv6,
        host_ip: message.host_ip,
        host_port: Number(message.host_port),
        instance_ip: own.Address,
        instance_ip_v6: own.Address_v6,
        service_ip: [roundRobin, own],
      },
    ];
  });
