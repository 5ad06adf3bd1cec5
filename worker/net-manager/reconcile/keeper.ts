import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../system/log.ts';
import type { Journal } from '../journal.ts';
import { legacyIntact, type Repaired, repairNode, settingsIntact } from '../kernel/node.ts';
import { type Call, linkEventNeed, mayMap, rulesEventNeed } from '../plan/events.ts';
import { namespaceOf } from '../plan/instance.ts';
import type { Settings } from '../plan/settings.ts';
import { watchMappings } from './mapping-watch.ts';
import { monitor } from './monitor.ts';

/** Keeps the board as the instances need it, whatever other programs change. */
export type Keeper = Disposable & {
  /** What cannot be put back at present, in sentences. */
  readonly troubles: readonly string[];
  /** Looks at the board now and puts back what is missing; resolves when that is done. */
  readonly look: () => Promise<void>;
};

const linkEvents = ['ip', '-o', 'monitor', 'all-nsid', 'link', 'address', 'route', 'netconf'];
const ruleEvents = ['nft', 'monitor'];

/** Milliseconds: what belongs to one event comes together; our own changes are events too; a repair may be undone at once. */
const pace = { together: 100, between: 2_000, longest: 3_000, settings: 2_000, everything: 30_000 } as const;

/** After so many repairs with no calm between them somebody is at work against us, and saying so once is enough. */
const patience = { repairs: 3, calmMs: 30_000 } as const;

const list = (texts: readonly string[]): string =>
  texts.length > 5 ? `${texts.slice(0, 5).join('; ')} and ${texts.length - 5} more` : texts.join('; ');

const leftText = ({ left, failures }: Repaired): string => {
  if (left.length === 0) return '';
  return `cannot put back: ${list(left)}${failures.length > 0 ? `: ${list(failures)}` : ''}`;
};

const lostText = ({ lost }: Repaired): string =>
  lost
    .map((instance) => `${namespaceOf(instance)} has lost its network namespace; undeploy it, or deploy it again`)
    .join('; ');

/** What the log is told of repairs: every change once, and one line for a fight about the same thing. */
export const repairReporter = (log: Log) => {
  const times = new Map<string, { readonly row: number; readonly at: number }>();
  let row = 0;
  let troubles: readonly string[] = [];
  const count = (what: string): number => {
    const now = performance.now();
    const before = times.get(what);
    const next = before && now - before.at < patience.calmMs ? before.row + 1 : 1;
    times.set(what, { row: next, at: now });
    return next;
  };
  return {
    /** How many times in a row the same thing was put back. */
    get row() {
      return row;
    },
    get troubles() {
      return troubles;
    },
    tell: (found: Repaired): void => {
      const { missing, left } = found;
      const rows = Map.groupBy(missing, count);
      row = Math.max(0, ...rows.keys());
      const isBack = (text: string) => !left.includes(text);
      const calm = [...rows].flatMap(([each, texts]) => (each < patience.repairs ? texts.filter(isBack) : []));
      const fight = (rows.get(patience.repairs) ?? []).filter(isBack);
      if (calm.length > 0) log.warn(`another program changed what instances need; put back: ${list(calm)}`);
      if (fight.length > 0)
        log.warn(
          `another program changes this again and again; NetManager restores it each time, without further log lines: ${list(fight)}`,
        );
      const now = [leftText(found), lostText(found)].filter((text) => text !== '');
      for (const text of now) if (!troubles.includes(text)) log.error(text);
      troubles = now;
    },
  };
};

/** Begins to keep the board of a journal's instances. */
export const keepNode = (settings: Settings, journal: Journal, log: Log): Keeper => {
  const closing = new AbortController();
  const { signal } = closing;
  const told = repairReporter(log);
  let [wanted, all] = [false, true];
  let spaces = new Set<number>();
  let wake = Promise.withResolvers<void>();

  const call = (made: Call): void => {
    if (!made) return;
    wanted = true;
    if (made.space !== undefined) spaces.add(made.space);
    wake.resolve();
  };
  const callForAll = (): void => {
    all = true;
    call({ board: true });
  };

  const look = async (): Promise<Repaired> => {
    const within = all ? 'all' : spaces;
    [wanted, all, spaces] = [false, false, new Set()];
    const found = await repairNode(settings, journal, within, signal);
    told.tell(found);
    return found;
  };

  const keep = async (): Promise<void> => {
    while (!signal.aborted) {
      if (!wanted) {
        wake = Promise.withResolvers();
        await wake.promise;
      }
      await delay(pace.together, undefined, { signal });
      const began = performance.now();
      const found = await look().catch((error: unknown) => {
        log.warn(`the state of the network could not be read: ${(error as Error).message}`);
        return undefined;
      });
      const quiet = found?.missing.length === 0;
      const pauseMs = quiet ? pace.between : Math.min(pace.longest, pace.together * 2 ** told.row);
      await delay(Math.max(0, pauseMs - (performance.now() - began)), undefined, { signal });
    }
  };

  const mappings = watchMappings(journal, log);
  const ruleEvent = (line: string): void => {
    call(rulesEventNeed(line));
    if (mayMap(line)) mappings.look();
  };
  const monitors = [
    monitor(linkEvents, { line: (line) => call(linkEventNeed(line)), missed: callForAll }, log),
    monitor(ruleEvents, { line: ruleEvent, missed: callForAll }, log),
  ];
  // A change of most kernel settings, or by iptables-legacy, is no event.
  const settingsTimer = setInterval(() => {
    Promise.all([settingsIntact(settings, journal), legacyIntact(settings, journal)]).then(
      (stand) => stand.every(Boolean) || call({ board: true }),
      () => undefined,
    );
  }, pace.settings).unref();
  const everythingTimer = setInterval(callForAll, pace.everything).unref();
  signal.addEventListener('abort', () => wake.resolve(), { once: true });
  void keep().catch((error: unknown) => {
    if (!signal.aborted) log.error(`changes of the network are no longer noticed: ${(error as Error).message}`);
  });

  return {
    get troubles() {
      return told.troubles;
    },
    look: async () => {
      all = true;
      await look();
    },
    [Symbol.dispose]: () => {
      closing.abort();
      clearInterval(settingsTimer);
      clearInterval(everythingTimer);
      for (const each of [...monitors, mappings]) each[Symbol.dispose]();
    },
  };
};
