import type { Log } from '../../system/log.ts';
import type { Journal } from '../journal.ts';
import { readMappings } from '../kernel/port-owners.ts';
import { namespaceOf } from '../plan/instance.ts';
import { portKey } from '../plan/port-maps.ts';

/** Milliseconds: rules come in numbers; iptables' legacy rules come without an event. */
const pace = { together: 1_000, everything: 30_000 } as const;

/** Looks after ports of instances that another program maps after their deployment, and says each of them once. */
export type MappingWatch = Disposable & {
  /** Asks for a look soon. */
  readonly look: () => void;
};

/** Begins to watch the ports of a journal's instances. */
export const watchMappings = (journal: Journal, log: Log): MappingWatch => {
  let soon: NodeJS.Timeout | undefined;
  let said: ReadonlySet<string> = new Set();
  const look = async (): Promise<void> => {
    const ports = journal.contents.entries.flatMap(({ instance }) =>
      instance.ports.map((port) => ({ instance, port })),
    );
    if (ports.length === 0) return;
    const { owner } = await readMappings();
    const texts = ports.flatMap(({ instance, port }) => {
      const its = owner(port);
      return its === undefined
        ? []
        : `host port ${portKey(port)} of ${namespaceOf(instance)} is now mapped by another program, too (${its}): ` +
            'connections may go there';
    });
    for (const text of texts) if (!said.has(text)) log.warn(text);
    said = new Set(texts);
  };
  const safely = (): void => void look().catch((error: unknown) => log.debug((error as Error).message));
  const everything = setInterval(safely, pace.everything).unref();
  return {
    look: () => {
      soon ??= setTimeout(() => {
        soon = undefined;
        safely();
      }, pace.together).unref();
    },
    [Symbol.dispose]: () => {
      clearTimeout(soon);
      clearInterval(everything);
    },
  };
};
