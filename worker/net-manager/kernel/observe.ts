import { run } from '../../system/run.ts';
import { type Observed, type Place, readLinks, readReceivers, readRoutes } from '../plan/observed.ts';
import type { Plan } from '../plan/plan.ts';
import { namespaceNames, readSysctl } from './kernel.ts';
import { intactRules } from './rules-seen.ts';

const json = (text: string): unknown => JSON.parse(text.trim() || '[]');

/** Interfaces, addresses and routes of this namespace. */
export const observePlace = async (): Promise<Place> => {
  const [links, v4, v6] = await Promise.all([
    run(['ip', '-j', '-d', 'addr', 'show']),
    run(['ip', '-j', 'route', 'show']),
    run(['ip', '-j', '-6', 'route', 'show']),
  ]);
  return { ...readLinks(json(links)), routes: new Set([...readRoutes(json(v4)), ...readRoutes(json(v6))]) };
};

const insideScript = 'ip -j -d addr show && echo && ip -j route show && echo && ip -j -6 route show';

/** Interfaces, addresses and routes of a named namespace; undefined when it can't be entered. */
const observeInside = async (namespace: string): Promise<Place | undefined> => {
  try {
    const text = await run(['nsenter', `--net=/run/netns/${namespace}`, 'sh', '-c', insideScript]);
    const [links = '', v4 = '', v6 = ''] = text.split(/^$/m);
    return { ...readLinks(json(links)), routes: new Set([...readRoutes(json(v4)), ...readRoutes(json(v6))]) };
  } catch {
    return undefined;
  }
};

const settingsOf = async (plan: Plan): Promise<ReadonlyMap<string, string>> => {
  const keys = plan.flatMap((step) => (step.tool === 'sysctl' ? Object.keys(step.values) : []));
  const values = await Promise.all(keys.map((key) => readSysctl(key)));
  return new Map(keys.flatMap((key, at) => (values[at] === undefined ? [] : [[key, values[at]] as const])));
};

/** True when all settings of a plan have their values: a look that takes no process. */
export const settingsMatch = async (plan: Plan): Promise<boolean> => {
  const now = await settingsOf(plan);
  return plan.every(
    (step) => step.tool !== 'sysctl' || Object.entries(step.values).every(([key, value]) => now.get(key) === value),
  );
};

/** The instances' namespaces that a look goes into: all of them, or those that the kernel has these numbers for. */
export type Within = 'all' | ReadonlySet<number>;

/** The UDP ports at which the kernel takes packets in datagrams; none where it can't. */
export const observeReceivers = async (): Promise<ReadonlySet<number>> =>
  readReceivers(json(await run(['ip', '-j', 'fou', 'show']).catch(() => '')));

const hasReceiver = (plan: Plan): boolean =>
  plan.some((step) => step.tool === 'ip' && step.changes.some(({ is }) => 'receiver' in is));

/** Looks at all that a plan is about on this board, and into the namespaces of some instances. */
export const observe = async (plan: Plan, within: Within): Promise<Observed> => {
  const [place, namespaces, settings, rules, receivers] = await Promise.all([
    observePlace(),
    namespaceNames(),
    settingsOf(plan),
    intactRules(plan),
    hasReceiver(plan) ? observeReceivers() : new Set<number>(),
  ]);
  const names = plan.flatMap((step) => {
    if (step.tool !== 'inside') return [];
    const space = place.links.get(step.link)?.peerSpace;
    return within === 'all' || (space !== undefined && within.has(space)) ? [step.namespace] : [];
  });
  const places = await Promise.all(names.map(observeInside));
  const inside = new Map(names.flatMap((name, at) => (places[at] ? [[name, places[at]] as const] : [])));
  return { ...place, namespaces: new Set(namespaces), settings, rules, receivers, inside };
};
