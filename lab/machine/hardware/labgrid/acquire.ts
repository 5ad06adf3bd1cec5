import os from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { labFault, messageOf } from '../../../system/errors.ts';
import type { RunFolder } from '../../../system/runs.ts';
import { deadline } from '../../../system/wait.ts';
import { busyFault, choose, ownerName, ownerWords, requireMatched, type Wanted, wantedWords } from './choose.ts';
import { type Coordinator, coordinatorAddress, openCoordinator } from './coordinator.ts';
import { type Claim, giveBack, recordClaim } from './leftovers.ts';
import { allocated, type Place, type Resource, waiting } from './messages.ts';
import { openSession, type Session } from './session.ts';

/** A reservation that nobody asks for is dropped after a minute (labgrid/remote/common.py). */
const pollMs = 2_000;

/** A place that this run has until it is disposed of. */
export type AcquiredPlace = AsyncDisposable & {
  readonly place: Place;
  /** What belongs to it. */
  readonly resources: readonly Resource[];
  readonly coordinator: string;
  /** The name by which the coordinator knows this run. */
  readonly owner: string;
};

export type AcquireOptions = {
  readonly wanted: Wanted;
  readonly coordinator: string | undefined;
  /** How long to wait for a place that somebody else has, in s. */
  readonly wait: number;
  readonly run: RunFolder;
  readonly say: (text: string) => void;
  readonly note: (text: string) => void;
  /** Told when somebody takes the place away. */
  readonly lost: (reason: Error) => void;
  readonly signal: AbortSignal;
};

const userName = (): string => {
  try {
    return os.userInfo().username;
  } catch {
    return `uid-${process.getuid?.()}`;
  }
};

/** Waits until a place is reserved for this run and returns its name. Throws a lab fault that says who has it instead. */
const reserve = async (coordinator: Coordinator, session: Session, options: AcquireOptions): Promise<string> => {
  const { wanted, wait, say, signal } = options;
  const { filter } = choose(wanted, [...session.places.values()]);
  const ends = deadline(wait * 1000, wantedWords(wanted));
  let reservation = await coordinator.reserve(filter);
  for (;;) {
    signal.throwIfAborted();
    if (reservation.state === allocated) break;
    if (reservation.state !== waiting)
      throw labFault(`the labgrid coordinator dropped the reservation of ${wantedWords(wanted)}`);
    await session.sync();
    const { candidates } = choose(wanted, [...session.places.values()]);
    const reservations = await coordinator.reservations();
    if (wait === 0) throw busyFault(wanted, candidates, reservations);
    if (ends.aborted) throw busyFault(wanted, candidates, reservations, ` after ${wait} s of waiting`);
    say(`waiting: ${busyFault(wanted, candidates, reservations).message}`);
    await pause(pollMs, undefined, { signal: AbortSignal.any([signal, ends, session.ended]) }).catch(() => {
      if (session.ended.aborted) throw session.ended.reason;
    });
    signal.throwIfAborted();
    reservation = await coordinator.poll(reservation.token);
  }
  const [place] = Object.values(reservation.allocations);
  if (place === undefined) throw labFault(`the labgrid coordinator reserved no place for ${wantedWords(wanted)}`);
  return place;
};

/** Why a place that was reserved could not be acquired: what of it belongs to another place, if that is it. */
const notAcquired = (place: Place, resources: readonly Resource[], error: unknown): Error => {
  const taken = resources.filter(({ acquired }) => acquired !== '' && acquired !== place.name);
  const words = taken.map(({ path, acquired }) => `${path.exporterName}/${path.groupName} (${acquired})`);
  return labFault(
    `place ${place.name} cannot be acquired${words.length === 0 ? '' : `: these resources belong to another place: ${words.join(', ')}`}`,
    [`labgrid-client -p ${place.name} show`, `look at the output of labgrid-coordinator and labgrid-exporter`],
    error,
  );
};

/** The resources of an acquired place, as the coordinator has them. */
const resourcesOf = (place: Place, { resources }: Session): readonly Resource[] =>
  place.acquiredResources.flatMap((full) => {
    const [exporter, group, , name] = full.split('/');
    const found = resources.get([exporter, group, name].join('/'));
    return found === undefined ? [] : [found];
  });

/** Tells once when the place is no longer this run's, and notes when the coordinator goes away. */
const watch = (session: Session, place: string, owner: string, { lost, note }: AcquireOptions): void => {
  let told = false;
  session.watch(() => {
    const now = session.places.get(place)?.acquired ?? '';
    if (told || now === owner) return;
    told = true;
    lost(
      labFault(
        `place ${place} was taken away from this run: ${now === '' ? 'somebody released it' : `${ownerWords(now)} has it`}`,
      ),
    );
  });
  session.ended.addEventListener('abort', () =>
    note(`${messageOf(session.ended.reason)}: it may give place ${place} to somebody else`),
  );
};

/**
 * Reserves and acquires a place. Throws a lab fault, with
 * nothing left at the coordinator, when that is not possible.
 */
export const acquirePlace = async (options: AcquireOptions): Promise<AcquiredPlace> => {
  const { run, note, signal } = options;
  const address = coordinatorAddress(options.coordinator);
  const host = process.env['LG_HOSTNAME'] ?? os.hostname();
  const owner = ownerName(host, process.env['LG_USERNAME'] ?? userName(), run.id);
  const claim: Claim = { run: run.id, coordinator: address, owner };
  await using stack = new AsyncDisposableStack();
  const coordinator = stack.use(openCoordinator(address));
  const session = await openSession(coordinator, owner, signal);
  await recordClaim(claim);
  stack.defer(async () => {
    session[Symbol.dispose]();
    await giveBack(coordinator, claim).catch((error: unknown) => {
      note(
        `what this run has at the labgrid coordinator was not given back: ${messageOf(error)}; the next run, or lab clean, does that`,
      );
    });
  });
  const name = await reserve(coordinator, session, options);
  await session.sync();
  const reserved = session.places.get(name);
  if (reserved === undefined) throw labFault(`place ${name} was removed meanwhile`);
  requireMatched(reserved, [...session.resources.values()]);
  signal.throwIfAborted();
  await coordinator.acquire(name).catch((error: unknown) => {
    throw notAcquired(reserved, [...session.resources.values()], error);
  });
  await session.sync();
  const place = session.places.get(name) ?? reserved;
  watch(session, name, owner, options);
  const held = stack.move();
  return {
    ...{ place, coordinator: address, owner, resources: resourcesOf(place, session) },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
};
