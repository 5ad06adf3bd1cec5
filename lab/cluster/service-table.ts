import type { Static } from 'typebox';
import type { ServiceDeployed, TableQuery, TableResult } from '../../worker/contract/net-mqtt.ts';

type Row = TableResult['instance_list'][number];
type ServiceIp = Required<Row['service_ip'][number]>;

type Service = {
  readonly name: string;
  readonly roundRobin: ServiceIp;
  readonly addresses: Map<number, ServiceIp>;
  readonly deployed: Map<number, Placed>;
};

/** What a worker said of an instance, and the host of that worker. */
type Placed = { readonly message: Static<typeof ServiceDeployed>; readonly host: string };

/** The addresses by which a service is reached: any of its instances, or one of them. */
export type ServiceAddresses = Readonly<Record<'service' | 'instance', { readonly v4: string; readonly v6: string }>>;

/**
 * Which instances of which service are where, and the service addresses that stand for them: 10.30.x.y, fdff:2000::
 * (round robin) and fdff:: (instances), handed out in order and kept for good (contract, sections 5 and 6).
 */
export class ServiceTable {
  readonly #services = new Map<string, Service>();
  /** What was queried, a name or an address: the service that it means, and the ids of the workers that asked. */
  readonly #interests = new Map<string, { readonly service: string; readonly workers: Set<string> }>();
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

  /** The addresses of a service and of one of its instances; undefined before it was scheduled. */
  addressesOf(name: string, instance: number): ServiceAddresses | undefined {
    const service = this.#services.get(name);
    const own = service?.addresses.get(instance);
    if (!service || !own) return undefined;
    const both = ({ Address, Address_v6 }: ServiceIp) => ({ v4: Address, v6: Address_v6 });
    return { service: both(service.roundRobin), instance: both(own) };
  }

  /** Records where an instance is reachable, as the worker on `host` says. */
  deployed(message: Static<typeof ServiceDeployed>, host: string): void {
    this.#services.get(message.appname)?.deployed.set(message.instance_number, { message, host });
  }

  /** Forgets where an instance was; says whether it was anywhere. */
  removed(name: string, instance: number): boolean {
    return this.#services.get(name)?.deployed.delete(instance) ?? false;
  }

  /** Forgets all that was on a host; returns the services that had instances there. */
  removedOn(host: string): readonly string[] {
    return [...this.#services.values()].flatMap(({ name, deployed }) => {
      const there = [...deployed].filter(([, placed]) => placed.host === host);
      for (const [instance] of there) deployed.delete(instance);
      return there.length > 0 ? [name] : [];
    });
  }

  /**
   * What a table query is answered: all instances that are deployed, on all hosts, by name or by any service address.
   * The worker that asked is told of changes from now on.
   */
  answer(query: TableQuery, worker: string): TableResult {
    const service = query.sname === '' ? this.#at(query.sip) : this.#services.get(query.sname);
    const key = query.sname === '' ? query.sip : query.sname;
    const name = service?.name ?? query.sname;
    const { workers = new Set<string>() } = this.#interests.get(key) ?? {};
    this.#interests.set(key, { service: name, workers: workers.add(worker) });
    return { app_name: name, query_key: key, instance_list: service ? rows(service) : [] };
  }

  /** The names and addresses under which somebody wants to hear of changes to `name`. */
  interestsIn(name: string): readonly string[] {
    return [...this.#interests].filter(([, { service }]) => service === name).map(([key]) => key);
  }

  dropInterestIn(name: string, worker: string): void {
    for (const key of this.interestsIn(name)) this.#drop(key, worker);
  }

  dropInterestsOf(worker: string): void {
    for (const key of [...this.#interests.keys()]) this.#drop(key, worker);
  }

  #drop(key: string, worker: string): void {
    const workers = this.#interests.get(key)?.workers;
    workers?.delete(worker);
    if (workers?.size === 0) this.#interests.delete(key);
  }

  #at(address: string): Service | undefined {
    const is = (ip: ServiceIp) => ip.Address === address || ip.Address_v6 === address;
    return [...this.#services.values()].find(
      ({ roundRobin, addresses }) => is(roundRobin) || [...addresses.values()].some(is),
    );
  }
}

const rows = ({ roundRobin, addresses, deployed }: Service): Row[] =>
  [...deployed.values()].flatMap(({ message }): Row[] => {
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
