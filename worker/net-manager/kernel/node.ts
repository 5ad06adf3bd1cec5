import type { Log } from '../../system/log.ts';
import { run } from '../../system/run.ts';
import type { Journal } from '../journal.ts';
import { bridge, hostLinkMark, type Instance, linksOf, namespaceOf } from '../plan/instance.ts';
import type { Plan } from '../plan/plan.ts';
import { planInstance, planNode } from '../plan/planner.ts';
import type { Settings } from '../plan/settings.ts';
import { Refusal } from '../refusal.ts';
import { applyPlan, PlanFailed, undoPlan } from './apply.ts';
import {
  advertisedLinks,
  bridgeExists,
  instanceIsGone,
  instanceStands,
  linkNames,
  readSysctl,
  writeSysctl,
} from './kernel.ts';
import { removeTable } from './rules.ts';

const valuesOf = (plan: Plan): readonly (readonly [string, string])[] =>
  plan.flatMap((step) => (step.tool === 'sysctl' ? Object.entries(step.values) : []));

const bootId = async (): Promise<string> => (await readSysctl('kernel/random/boot_id')) ?? '';

/** Writes down the settings of the whole node that a plan will change, unless an earlier run did. */
const recordSettings = async (plan: Plan, journal: Journal): Promise<void> => {
  const changed = { ...journal.contents.changed };
  for (const [key, now] of valuesOf(plan)) {
    const was = await readSysctl(key);
    if (was !== undefined && was !== now) changed[key] ??= { was, now };
  }
  const boot = await bootId();
  await journal.update((contents) => ({ ...contents, boot, changed }));
};

/** Work on single instances that is under way; the node's part changes as a whole only while there is none. */
const underWay = new Set<Promise<unknown>>();
let whole: Promise<unknown> = Promise.resolve();

/** Changes the node's part as a whole: what the journal says of instances stays true meanwhile. */
const alone = <T>(work: () => Promise<T>): Promise<T> => {
  const turn = whole.then(() => Promise.allSettled(underWay)).then(work);
  whole = turn.catch(() => undefined);
  return turn;
};

/** Makes or removes an instance beside others, but not while the node's part changes as a whole. */
export const beside = async <T>(work: () => Promise<T>): Promise<T> => {
  for (let seen: unknown; seen !== whole; await seen) seen = whole;
  const working = work();
  underWay.add(working);
  return working.finally(() => underWay.delete(working));
};

const setUp = async (settings: Settings, journal: Journal): Promise<void> => {
  if ((await readSysctl('net/ipv6/conf/all/forwarding')) === undefined)
    throw new Refusal(500, 'this kernel has no IPv6, and instances need it; boot it without ipv6.disable=1');
  const instances = journal.contents.entries.map(({ instance }) => instance);
  const [hasBridge, advertised] = await Promise.all([bridgeExists(), advertisedLinks()]);
  const plan = planNode(settings, { instances, hasBridge, advertised });
  await recordSettings(plan, journal);
  try {
    await applyPlan(plan);
  } catch (error) {
    // A bridge that lacks something would be taken for a whole one the next time.
    if (error instanceof PlanFailed) await undoPlan(error.done);
    throw error;
  }
};

/** Makes the node's part of the network or completes what is there; running instances don't notice. */
export const setUpNode = (settings: Settings, journal: Journal): Promise<void> => alone(() => setUp(settings, journal));

const tearDown = async (journal: Journal, log: Log): Promise<void> => {
  const attempt = async (what: string, work: Promise<unknown>) => {
    await work.catch((error: unknown) => log.warn(`${what}: ${(error as Error).message}`));
  };
  await attempt('rules not removed', removeTable());
  if (await bridgeExists()) await attempt('bridge not removed', run(['ip', 'link', 'del', bridge]));
  for (const [key, { was, now }] of Object.entries(journal.contents.changed))
    if ((await readSysctl(key)) === now) await attempt(`${key} not restored`, writeSysctl(key, was));
  await journal.update(({ subnet: _, subnetOf: __, topology: ___, ...rest }) => ({ ...rest, changed: {} }));
};

/** Gives the node back as it was found, as far as nobody else has changed it since. */
export const tearDownNode = (journal: Journal, log: Log): Promise<void> => alone(() => tearDown(journal, log));

const isOrphan = (name: string, kept: readonly Instance[]): boolean =>
  name.startsWith(hostLinkMark) && !kept.some((instance) => linksOf(instance).host === name);

/**
 * After a restart: keeps the instances whose deployment was complete and that still stand, removes what is left of
 * the others, and makes the node's part whole again, or takes it back when no instance is left. After a reboot nothing
 * of it can be there, and settings that look like ours are somebody else's.
 */
export const reconcile = async (settings: Settings, journal: Journal, log: Log): Promise<void> => {
  const { boot } = journal.contents;
  if (boot !== undefined && boot !== (await bootId())) {
    log.info('this board was booted again; starting with no instances');
    await journal.update(({ subnet: _, subnetOf: __, topology: ___, ...rest }) => ({
      ...rest,
      changed: {},
      entries: [],
    }));
    return;
  }
  const kept: Instance[] = [];
  for (const { instance, ready } of journal.contents.entries) {
    if (ready && (await instanceStands(instance))) {
      kept.push(instance);
      continue;
    }
    log.warn(`${namespaceOf(instance)} did not survive; removing what is left of it`);
    // Its rules need no undoing: the table is replaced as a whole below.
    const links = planInstance(settings, instance).filter((step) => step.tool === 'ip');
    await undoPlan(links).catch((error: unknown) => log.debug((error as Error).message));
    if (!(await instanceIsGone(instance))) log.error(`${namespaceOf(instance)} could not be removed whole`);
  }
  for (const name of (await linkNames()).filter((link) => isOrphan(link, kept))) {
    log.warn(`removing the orphaned link ${name}`);
    await run(['ip', 'link', 'del', name]);
  }
  await journal.update((contents) => ({
    ...contents,
    entries: contents.entries.filter(({ instance }) => kept.includes(instance)),
  }));
  if (kept.length > 0) {
    await setUpNode(settings, journal);
    log.info(`took over ${kept.length} running instances`);
  } else await tearDownNode(journal, log);
};
