import type { NetUndeployRequest } from '../contract/net-http.ts';
import { formatPorts } from '../contract/ports.ts';
import { batched } from '../system/batched.ts';
import type { Log } from '../system/log.ts';
import { retry } from '../system/wait.ts';
import type { Entry, Journal } from './journal.ts';
import { readFirewalls } from './kernel/accepts.ts';
import { applyPlan, PlanFailed, undoPlan } from './kernel/apply.ts';
import { instanceIntact, isInstanceRemoved, namespaceExists, namespaceOfProcess } from './kernel/kernel.ts';
import { type PortsInUse, portsInUse } from './kernel/listeners.ts';
import { acceptInstances } from './kernel/node.ts';
import { isOverlaid } from './kernel/overlay.ts';
import { type Mapped, readMappings } from './kernel/port-owners.ts';
import { forwardingTrial } from './kernel/trial.ts';
import { type DataPath, openDataPath } from './overlay/data-path.ts';
import type { Firewalls } from './plan/accepts.ts';
import { type AddressPair, addressAt, freeSlot } from './plan/addresses.ts';
import { type Instance, namespaceOf } from './plan/instance.ts';
import { planInstance } from './plan/planner.ts';
import { portKey } from './plan/port-maps.ts';
import type { Settings } from './plan/settings.ts';
import { keepNode } from './reconcile/keeper.ts';
import { type InstanceSpec, instanceAt } from './request.ts';
import { notDeployed, RequestError } from './request-error.ts';

export type Network = Disposable & {
  /** The overlay's data path; undefined where this node has none. */
  readonly path: DataPath | undefined;
  readonly instances: readonly Instance[];
  readonly addressesOf: (instance: Instance) => AddressPair;
  /** Makes an instance's network; `warning` names what may keep its traffic from flowing. */
  readonly deploy: (
    spec: InstanceSpec,
  ) => Promise<{ readonly instance: Instance; readonly warning: string | undefined }>;
  readonly undeploy: (which: NetUndeployRequest) => Promise<Instance>;
};

const same = (instance: Instance, spec: InstanceSpec): boolean =>
  instance.pid === spec.pid && formatPorts(instance.ports) === formatPorts(spec.ports);

/** The ports of this board that others have: their programs listen on them, or their rules map them. */
type Taken = { readonly busy: PortsInUse; readonly mapped: Mapped | undefined };

/** Looks at what others have done on this node, once for all who ask while another look is under way. */
const look = batched(async (askers: readonly InstanceSpec[]) => {
  const [firewalls, busy, mapped] = await Promise.all([
    readFirewalls(),
    portsInUse(),
    askers.some(({ ports }) => ports.length > 0) ? readMappings() : undefined,
  ]);
  return askers.map(() => ({ firewalls, busy, mapped }));
});

const unreadWarning = (mapped: Mapped | undefined): string | undefined =>
  mapped && mapped.unread.length > 0
    ? `whether other rules map these ports is not known: table ${mapped.unread.join(', ')} cannot be read`
    : undefined;

const refuseTaken = ({ ports }: InstanceSpec, { busy, mapped }: Taken): void => {
  for (const port of ports) {
    if (busy[port.protocol].has(port.host))
      throw new RequestError(500, `host port ${portKey(port)} is taken by a program that listens on this board`);
    const owner = mapped?.owner(port);
    if (owner !== undefined)
      throw new RequestError(
        500,
        `host port ${portKey(port)} is mapped by another program's rules (${owner}); ` +
          'give the service another port, or remove that mapping',
      );
  }
};

/** Deploys into a node's network that stands already; the journal says what is in it. */
export const openNetwork = async (settings: Settings, journal: Journal, log: Log): Promise<Network> => {
  const closing = new AbortController();
  const keeper = keepNode(settings, journal, log);
  const tryForwarding = forwardingTrial();
  const path = isOverlaid(journal.contents)
    ? await openDataPath(settings, journal, () => keeper.look(), log)
    : undefined;
  const entries = () => journal.contents.entries;
  const find = (name: string): Entry | undefined => entries().find((entry) => namespaceOf(entry.instance) === name);

  const forget = async (instance: Instance): Promise<void> => {
    await journal.update((now) => ({ ...now, entries: now.entries.filter((entry) => entry.instance !== instance) }));
  };

  const reserve = async (spec: InstanceSpec): Promise<Instance> => {
    const slot = freeSlot(entries().map((entry) => entry.instance.slot));
    if (slot === undefined)
      throw new RequestError(500, 'all 61 addresses of this node are in use; undeploy an instance');
    // Replicas of one service share their ports.
    const others = entries().filter(({ instance }) => instance.service !== spec.serviceName);
    const mapped = new Map(
      others.flatMap(({ instance }) => instance.ports.map((port) => [portKey(port), namespaceOf(instance)] as const)),
    );
    const clash = spec.ports.find((port) => mapped.has(portKey(port)));
    if (clash)
      throw new RequestError(500, `host port ${portKey(clash)} is already mapped to ${mapped.get(portKey(clash))}`);
    const instance = instanceAt(slot, spec);
    if (await journal.update((now) => ({ ...now, entries: [...now.entries, { instance, ready: false }] })))
      return instance;
    await forget(instance);
    throw new RequestError(500, `no new instance is set up while the state folder ${journal.folder} cannot be written`);
  };

  /** The address and the ports are given back only when what used them is gone. */
  const remove = async (instance: Instance, done = planInstance(settings, instance)): Promise<void> => {
    const name = namespaceOf(instance);
    await path?.settle(instance);
    try {
      await undoPlan(done);
    } catch (error) {
      if (!(await isInstanceRemoved(instance)))
        throw new RequestError(500, `${name} could not be removed whole: ${(error as Error).message}`, error);
      log.warn(`${name}: parts were already gone: ${(error as Error).message}`);
    }
    await forget(instance);
    if (entries().length === 0)
      for (const failure of await acceptInstances(settings, journal))
        log.warn(`accept rules not removed from another program's firewall: ${failure}`);
  };

  /** Nobody asks for the removal of an instance that was never deployed: it is tried until nothing of it is left. */
  const removeLater = (instance: Instance): void => {
    const isLeft = () => entries().some((entry) => entry.instance === instance);
    const again = () =>
      journal.inTurn(namespaceOf(instance), () =>
        journal.lock.withReadLock(async () => {
          if (isLeft()) await remove(instance);
        }),
      );
    const failed = (error: unknown) => log.debug((error as Error).message);
    // where this program ends first, its successor removes it
    retry(again, { first: 1_000, growth: 2, most: 30_000 }, closing.signal, failed).catch(() => undefined);
  };

  /** A process in the board's own namespace would have the board's routes changed for it. */
  const checkProcess = async (pid: number): Promise<void> => {
    const [own, its] = await Promise.all([namespaceOfProcess(), namespaceOfProcess(pid)]);
    if (its === undefined) throw new RequestError(500, `there is no process ${pid}`);
    if (its === own) throw new RequestError(500, `process ${pid} has no network namespace of its own`);
  };

  /** What runs in a namespace without a link can have one again. */
  const isTorn = async ({ serviceName, instanceNumber }: InstanceSpec): Promise<boolean> => {
    const name = namespaceOf({ service: serviceName, instance: instanceNumber });
    const known = find(name);
    return known?.ready === true && (await namespaceExists(name)) && !(await instanceIntact(known.instance));
  };

  const deploy = async (spec: InstanceSpec, taken: Taken): Promise<Instance> => {
    const name = namespaceOf({ service: spec.serviceName, instance: spec.instanceNumber });
    const known = find(name);
    if (known?.ready && (await instanceIntact(known.instance))) {
      if (same(known.instance, spec)) return known.instance;
      throw new RequestError(500, `${name} is deployed already, with other ports or another pid; undeploy it first`);
    }
    if (known) await remove(known.instance);
    if (spec.pid > 0) await checkProcess(spec.pid);
    if (await namespaceExists(name))
      throw new RequestError(500, `a namespace ${name} exists that is not ours; remove it with: ip netns del ${name}`);
    refuseTaken(spec, taken);
    const instance = await reserve(spec);
    try {
      await applyPlan(planInstance(settings, instance));
    } catch (error) {
      await remove(instance, error instanceof PlanFailed ? error.done : undefined).catch((left: unknown) => {
        log.warn(`${(left as Error).message}; trying again`);
        removeLater(instance);
      });
      throw new RequestError(500, `${name}: ${(error as Error).message}`, error);
    }
    await journal.update((now) => ({
      ...now,
      entries: now.entries.map((entry) => (entry.instance === instance ? { instance, ready: true } : entry)),
    }));
    await path?.settle();
    return instance;
  };

  const undeploy = async (which: NetUndeployRequest): Promise<Instance> => {
    const name = namespaceOf({ service: which.serviceName, instance: which.instanceNumber });
    const known = find(name);
    if (!known) throw notDeployed(name);
    await remove(known.instance);
    return known.instance;
  };

  /** Has the firewalls of others let instances through, and tells what keeps them from it. */
  const passOthers = async (instance: Instance, firewalls: Firewalls): Promise<readonly string[]> => {
    const { filters, trusted, others } = firewalls;
    const failures =
      filters.length > 0 || trusted !== undefined
        ? await journal.lock.withReadLock(() => acceptInstances(settings, journal))
        : [];
    if (others.length === 0) return failures;
    const tried = journal
      .inTurn('trial', () => tryForwarding(settings, instance, firewalls))
      .catch((error: unknown) => [
        `whether ${others.join(', ')} let instances through could not be tried: ${(error as Error).message}`,
      ]);
    return [...failures, ...(await tried)];
  };

  return {
    path,
    get instances() {
      return entries().flatMap(({ instance, ready }) => (ready ? [instance] : []));
    },
    addressesOf: (instance) => addressAt(settings.subnet, instance.slot),
    deploy: (spec) =>
      journal.inTurn(namespaceOf({ service: spec.serviceName, instance: spec.instanceNumber }), async () => {
        const { firewalls, ...taken } = await look(spec);
        if (!firewalls.ours || keeper.troubles.length > 0 || (await isTorn(spec))) await keeper.look();
        const instance = await journal.lock.withReadLock(() => deploy(spec, taken));
        const unread = unreadWarning(taken.mapped);
        const passing = await passOthers(instance, firewalls);
        const trouble = journal.contents.overlay?.trouble;
        const told = [unread, trouble].filter((text) => text !== undefined);
        const warnings = [...passing, ...told, ...keeper.troubles];
        return { instance, warning: warnings.length > 0 ? warnings.join('; ') : undefined };
      }),
    undeploy: (which) =>
      journal.inTurn(namespaceOf({ service: which.serviceName, instance: which.instanceNumber }), () =>
        journal.lock.withReadLock(() => undeploy(which)),
      ),
    [Symbol.dispose]: () => {
      closing.abort();
      keeper[Symbol.dispose]();
    },
  };
};
