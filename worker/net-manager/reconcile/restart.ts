import type { Log } from '../../system/log.ts';
import { run } from '../../system/run.ts';
import { type Journal, withoutNode } from '../journal.ts';
import { undoPlan } from '../kernel/apply.ts';
import { isInstanceRemoved, linkNames, namespaceExists } from '../kernel/kernel.ts';
import { bootId, setUpNode, tearDownNode } from '../kernel/node.ts';
import { clearTrial } from '../kernel/trial.ts';
import { hostLinkMark, type Instance, linksOf, namespaceOf } from '../plan/instance.ts';
import { planInstance } from '../plan/planner.ts';
import type { Settings } from '../plan/settings.ts';

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
    await journal.update((contents) => ({ ...withoutNode(contents), entries: [] }));
    return;
  }
  await clearTrial().catch((error: unknown) => log.debug((error as Error).message));
  const kept: Instance[] = [];
  for (const { instance, ready } of journal.contents.entries) {
    if (ready && (await namespaceExists(namespaceOf(instance)))) {
      kept.push(instance);
      continue;
    }
    log.warn(`${namespaceOf(instance)} is missing or incomplete; removing its remains`);
    // Its rules need no undoing: the table is replaced as a whole below.
    const links = planInstance(settings, instance).filter((step) => step.tool === 'ip');
    await undoPlan(links).catch((error: unknown) => log.debug((error as Error).message));
    if (!(await isInstanceRemoved(instance))) log.error(`${namespaceOf(instance)} could not be removed whole`);
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
