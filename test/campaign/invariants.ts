import type { Observed } from './observe.ts';
import type { Order, Record } from './record.ts';
import { type Planned, taskOf } from './schedule.ts';

const sameNames = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((name) => other.includes(name));

/** The last word of every instance that the worker has spoken of. */
export const believed = ({ words }: Pick<Record, 'words'>): ReadonlyMap<string, string> =>
  new Map(words.map(({ task, status }) => [task, status]));

/**
 * Orders count as given when the worker has acknowledged them: an order that it has not may be carried out or not. The
 * last one of an instance decides what has to be said of it afterwards.
 */
const orderProblems = ({ orders, words }: Pick<Record, 'orders' | 'words'>): readonly string[] => {
  const last = new Map<string, Order>(orders.map((order) => [order.task, order]));
  return [...last.values()].flatMap((order) => {
    if (!order.acknowledged) return [];
    const own = words.filter(({ task }) => task === order.task);
    const after = own.filter(({ at }) => at > order.at).map(({ status }) => status);
    if (order.what === 'delete')
      return after.includes('UNDEPLOYED') ? [] : [`${order.task}: the delete was acknowledged, UNDEPLOYED never told`];
    const before = own.findLast(({ at }) => at < order.at)?.status;
    const isUp = before === 'CREATED' || before === 'CREATING';
    return after.length > 0 || isUp ? [] : [`${order.task}: the deploy was acknowledged, no word was told of it`];
  });
};

/**
 * What is wrong when nothing happens any more: what the cluster was told last of its instances is what runs, what the
 * kernel has and what both journals say.
 */
export const problemsOf = (
  record: Pick<Record, 'orders' | 'words'>,
  planned: readonly Planned[],
  observed: Observed,
): readonly string[] => {
  const told = believed(record);
  const up = planned.filter((one) => told.get(taskOf(one)) === 'CREATED');
  const tasks = up.map(taskOf);
  const unsettled = [...told].filter(([, status]) => status === 'CREATING').map(([task]) => task);
  const unordered = [...told.keys()].filter((task) => !record.orders.some((order) => order.task === task));
  const compare = (what: string, found: readonly string[]) =>
    sameNames(found, tasks)
      ? []
      : [`${what}: ${found.join(', ') || 'none'}; the cluster was told of ${tasks.join(', ') || 'none'}`];
  const ports = [...new Set(up.map(({ port }) => port.split(':')[0] ?? '').filter((port) => port !== ''))];
  const mapped = observed.ports.map(({ host }) => host);
  const users = (host: string) => up.filter(({ port }) => port.startsWith(`${host}:`)).length;
  return [
    ...orderProblems(record),
    ...unsettled.map((task) => `${task}: the last word is CREATING`),
    ...unordered.map((task) => `${task}: spoken of, but never ordered`),
    ...compare('processes that run', observed.processes),
    ...compare('network namespaces', observed.namespaces),
    ...compare("the engine's journal", observed.engineJournal),
    ...compare("NetManager's journal", observed.networkJournal),
    ...(observed.links.length === up.length ? [] : [`${observed.links.length} links for ${up.length} instances`]),
    ...(sameNames(mapped, ports) ? [] : [`mapped ports ${mapped.join()}, expected ${ports.join()}`]),
    ...observed.ports
      .filter(({ host, targets }) => targets !== users(host))
      .map(({ host, targets }) => `port ${host} leads to ${targets} instances of ${users(host)}`),
    ...observed.leftoversOf.map((stray) => `left behind: ${stray}`),
  ];
};
