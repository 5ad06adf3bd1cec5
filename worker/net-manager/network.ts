import { access } from 'node:fs/promises';
import type { NetDeployRequest, NetUndeployRequest } from '../contract/net-http.ts';
import type { PortMapping } from '../contract/ports.ts';
import type { Log } from '../system/log.ts';
import { serialByKey } from '../system/serial.ts';
import { type AddressPair, addressAt, freeSlot } from './addresses.ts';
import { applyPlan, PlanFailed, undoPlan } from './apply.ts';
import { type Instance, linksOf, namespaceOf } from './instance.ts';
import type { Entry, Journal } from './journal.ts';
import { portsInUse } from './listeners.ts';
import { planInstance, planNode } from './planner.ts';
import { Refusal } from './refusal.ts';
import type { Settings } from './settings.ts';

/** What a deployment asks for, checked. */
export type Wanted = Required<Pick<NetDeployRequest, 'pid' | 'serviceName' | 'instanceNumber'>> & {
  readonly ports: readonly PortMapping[];
};

export type Network = {
  readonly instances: readonly Instance[];
  readonly addressesOf: (instance: Instance) => AddressPair;
  readonly deploy: (wanted: Wanted) => Promise<Instance>;
  readonly undeploy: (which: NetUndeployRequest) => Promise<Instance>;
};

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

const same = (a: Instance, wanted: Wanted): boolean =>
  a.pid === wanted.pid && JSON.stringify(a.ports) === JSON.stringify(wanted.ports);

/** Makes the node's part of the network and returns what deploys into it. */
export const startNetwork = async (settings: Settings, journal: Journal, log: Log): Promise<Network> => {
  const inTurn = serialByKey();
  const entries = () => journal.contents.entries;
  const find = (name: string): Entry | undefined => entries().find((entry) => namespaceOf(entry.instance) === name);
  const without = (name: string) => entries().filter((entry) => namespaceOf(entry.instance) !== name);

  const reserve = async (wanted: Wanted): Promise<Instance> => {
    const slot = freeSlot(entries().map((entry) => entry.instance.slot));
    if (slot === undefined) throw new Refusal(500, 'all 61 addresses of this node are in use; undeploy an instance');
    const key = ({ host, protocol }: PortMapping) => `${host}/${protocol}`;
    const mapped = new Map(
      entries().flatMap(({ instance }) => instance.ports.map((port) => [key(port), namespaceOf(instance)] as const)),
    );
    const clash = wanted.ports.find((port) => mapped.has(key(port)));
    if (clash) throw new Refusal(500, `host port ${key(clash)} is already mapped to ${mapped.get(key(clash))}`);
    const instance: Instance = {
      service: wanted.serviceName,
      instance: wanted.instanceNumber,
      pid: wanted.pid,
      slot,
      ports: [...wanted.ports],
    };
    await journal.write({ entries: [...entries(), { instance, ready: false }] });
    return instance;
  };

  const isGone = async (instance: Instance): Promise<boolean> =>
    !(await exists(`/sys/class/net/${linksOf(instance).host}`)) &&
    !(await exists(`/run/netns/${namespaceOf(instance)}`));

  /** The address and the ports are given back only when what used them is gone. */
  const remove = async (instance: Instance, done = planInstance(settings, instance)): Promise<void> => {
    const name = namespaceOf(instance);
    try {
      await undoPlan(done);
    } catch (error) {
      if (!(await isGone(instance)))
        throw new Refusal(500, `${name} could not be removed whole: ${(error as Error).message}`, error);
      log.warn(`${name}: parts were already gone: ${(error as Error).message}`);
    }
    await journal.write({ entries: without(name) });
  };

  const deploy = async (wanted: Wanted): Promise<Instance> => {
    const name = namespaceOf({ service: wanted.serviceName, instance: wanted.instanceNumber });
    const known = find(name);
    if (known?.ready && same(known.instance, wanted)) return known.instance;
    if (known)
      throw new Refusal(500, `${name} is deployed already, with other ports or another pid; undeploy it first`);
    if (await exists(`/run/netns/${name}`))
      throw new Refusal(500, `a namespace ${name} exists that is not ours; remove it with: ip netns del ${name}`);
    const busy = await portsInUse();
    const taken = wanted.ports.find(({ host, protocol }) => busy[protocol].has(host));
    if (taken)
      throw new Refusal(
        500,
        `host port ${taken.host}/${taken.protocol} is taken by a program that listens on this board`,
      );
    const instance = await reserve(wanted);
    try {
      await applyPlan(planInstance(settings, instance));
    } catch (error) {
      await remove(instance, error instanceof PlanFailed ? error.done : undefined);
      throw new Refusal(500, `${name}: ${(error as Error).message}`, error);
    }
    await journal.write({
      entries: entries().map((entry) => (entry.instance === instance ? { instance, ready: true } : entry)),
    });
    return instance;
  };

  const undeploy = async (which: NetUndeployRequest): Promise<Instance> => {
    const name = namespaceOf({ service: which.serviceName, instance: which.instanceNumber });
    const known = find(name);
    if (!known) throw new Refusal(404, `${name} is not deployed here`);
    await remove(known.instance);
    return known.instance;
  };

  await applyPlan(planNode(settings));
  return {
    get instances() {
      return entries().flatMap(({ instance, ready }) => (ready ? [instance] : []));
    },
    addressesOf: (instance) => addressAt(settings.subnet, instance.slot),
    deploy: (wanted) =>
      inTurn(namespaceOf({ service: wanted.serviceName, instance: wanted.instanceNumber }), () => deploy(wanted)),
    undeploy: (which) =>
      inTurn(namespaceOf({ service: which.serviceName, instance: which.instanceNumber }), () => undeploy(which)),
  };
};
