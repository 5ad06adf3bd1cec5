import { batched } from '../../system/batched.ts';
import type { Log } from '../../system/log.ts';
import type { Journal } from '../journal.ts';
import { applyParts } from '../kernel/apply.ts';
import { standingInstances } from '../kernel/node.ts';
import { desiredByJournal } from '../kernel/overlay.ts';
import { makeRules } from '../kernel/rules.ts';
import type { Instance } from '../plan/instance.ts';
import type { DesiredOverlay } from '../plan/overlay/desired.ts';
import { changeOverlay, refuse } from '../plan/overlay/plan.ts';
import { calledBy, type Service } from '../plan/overlay/rows.ts';
import type { Settings } from '../plan/settings.ts';

/** What is learnt of one service: what the cluster says, or that nobody here needs it any longer. */
export type ServiceChange = { readonly service: Service } | { readonly forget: string };

/** The overlay as the kernel carries it out. */
export type DataPath = {
  /** What the kernel holds. */
  readonly desired: DesiredOverlay;
  /** What is known of services. */
  readonly services: readonly Service[];
  /** Takes what is learnt into the journal and the kernel: all that came together in one transaction. */
  readonly learn: (learnt: ServiceChange) => Promise<void>;
  /** Has the kernel follow the instances, within their own turn; `leaving` is about to be removed. */
  readonly settle: (leaving?: Instance) => Promise<void>;
  /** Has packets to an address refused for a while. */
  readonly refuse: (address: string, seconds: number) => Promise<void>;
};

const nameOf = (learnt: ServiceChange): string => ('forget' in learnt ? learnt.forget : learnt.service.name);

/** All services once something is learnt of one. */
export const withServiceChange = (services: readonly Service[], learnt: ServiceChange): readonly Service[] => {
  const others = services.filter(({ name }) => name !== nameOf(learnt));
  return 'service' in learnt ? [...others, learnt.service] : others;
};

/** Opens the data path of a node whose overlay stands; `lookAgain` looks after the whole board when a change fails. */
export const openDataPath = async (
  settings: Settings,
  journal: Journal,
  lookAgain: () => Promise<void>,
  log: Log,
): Promise<DataPath> => {
  const known = () => journal.contents.overlay?.services ?? [];
  let desired = desiredByJournal(settings, journal.contents, await standingInstances(journal.contents));

  const settle = (leaving: Instance | undefined, forgotten: ReadonlySet<string>): Promise<void> =>
    journal.inTurn('overlay', async () => {
      const instances = (await standingInstances(journal.contents)).filter((instance) => instance !== leaving);
      const next = desiredByJournal(settings, journal.contents, instances);
      const plan = changeOverlay(settings, desired, next, forgotten);
      const failures = await applyParts(plan);
      desired = next;
      if (failures.length === 0) return;
      log.debug(`the overlay is looked after: ${failures.join('; ')}`);
      // Not within this turn, which a look at the board waits for.
      void lookAgain().catch((error: unknown) => log.warn(`the overlay: ${(error as Error).message}`));
    });

  const learn = batched(async (all: readonly ServiceChange[]): Promise<readonly undefined[]> => {
    await journal.lock.withReadLock(async () => {
      const forgotten = new Set(
        all.flatMap((each) =>
          'forget' in each
            ? known()
                .filter(({ name }) => name === each.forget)
                .flatMap(calledBy)
            : [],
        ),
      );
      await journal.update((contents) => ({
        ...contents,
        ...(contents.overlay && {
          overlay: { ...contents.overlay, services: [...all.reduce(withServiceChange, contents.overlay.services)] },
        }),
      }));
      await settle(undefined, forgotten);
    });
    return all.map(() => undefined);
  });

  return {
    get desired() {
      return desired;
    },
    get services() {
      return known();
    },
    learn,
    settle: (leaving) => settle(leaving, new Set()),
    refuse: (address, seconds) => makeRules({ tool: 'nft', do: [refuse(address, seconds)], undo: [] }),
  };
};
