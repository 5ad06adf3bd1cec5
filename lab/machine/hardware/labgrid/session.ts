import Type, { type Static, type TSchema } from 'typebox';
import { problemsOf } from '../../../../worker/contract/check.ts';
import { labFault, messageOf } from '../../../system/errors.ts';
import { abortable, deadline } from '../../../system/wait.ts';
import { type Coordinator, noAnswer } from './coordinator.ts';
import { Place, Resource, ResourcePath } from './messages.ts';

const contactMs = 10_000;
/** What the lab says of its version: the interface that it knows. */
const version = '26.0.1';

const Message = Type.Object({ sync: Type.Optional(Type.Union([Type.Object({ id: Type.Integer() }), Type.Null()])) });
const Updates = Type.Object({ updates: Type.Array(Type.Object({}, { additionalProperties: true })) });
const updateKinds = {
  place: Type.Object({ place: Place }),
  gonePlace: Type.Object({ delPlace: Type.String() }),
  resource: Type.Object({ resource: Resource }),
  goneResource: Type.Object({ delResource: ResourcePath }),
} as const;

const fits = <T extends TSchema>(schema: T, value: unknown): value is Static<T> =>
  problemsOf(schema, value).length === 0;

const keyOf = ({ exporterName, groupName, resourceName }: Resource['path']): string =>
  [exporterName, groupName, resourceName].join('/');

/** What a coordinator knows, kept up to date by the stream through which it knows this client. */
export type Session = Disposable & {
  readonly places: ReadonlyMap<string, Place>;
  /** By `EXPORTER/GROUP/NAME`. */
  readonly resources: ReadonlyMap<string, Resource>;
  /** Resolves when everything has come that the coordinator knew at the time of the call. */
  readonly sync: () => Promise<void>;
  /** Calls `look` after each message from now on. */
  readonly watch: (look: () => void) => void;
  /** Aborted, with the reason, when the stream has ended by itself. */
  readonly ended: AbortSignal;
};

/** Makes a client known to a coordinator by its name. Throws a lab fault where none answers. */
export const openSession = async (coordinator: Coordinator, name: string, signal: AbortSignal): Promise<Session> => {
  const places = new Map<string, Place>();
  const resources = new Map<string, Resource>();
  const waiting = new Map<number, () => void>();
  const ended = new AbortController();
  const watchers = new Set<() => void>();
  // what does not fit is a row that this lab cannot use, and no reason to lose the others
  const take = (update: unknown): void => {
    if (fits(updateKinds.place, update)) places.set(update.place.name, update.place);
    else if (fits(updateKinds.resource, update)) resources.set(keyOf(update.resource.path), update.resource);
    else if (fits(updateKinds.gonePlace, update)) places.delete(update.delPlace);
    else if (fits(updateKinds.goneResource, update)) resources.delete(keyOf(update.delResource));
  };
  const stream = coordinator.stream();
  let closing = false;
  const end = (reason: Error) => closing || ended.abort(reason);
  stream.on('data', (message: unknown) => {
    if (fits(Updates, message)) for (const update of message.updates) take(update);
    if (fits(Message, message) && message.sync) waiting.get(message.sync.id)?.();
    for (const look of watchers) look();
  });
  stream.on('error', (error: Error) => end(coordinator.fault(error)));
  stream.on('end', () => end(labFault(`the labgrid coordinator at ${coordinator.address} ended the session`)));
  let last = 0;
  const sync = async (): Promise<void> => {
    const id = ++last;
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.set(id, resolve);
    stream.write({ sync: { id } });
    const over = AbortSignal.any([ended.signal, signal]);
    await abortable(promise, deadline(contactMs, 'the answer', over))
      .catch((error: unknown) => {
        over.throwIfAborted();
        throw noAnswer(coordinator.address, messageOf(error));
      })
      .finally(() => waiting.delete(id));
  };
  stream.write({ startup: { version, name } });
  stream.write({ subscribe: { allPlaces: true } });
  stream.write({ subscribe: { allResources: true } });
  const session: Session = {
    places,
    resources,
    sync,
    watch: (look) => void watchers.add(look),
    ended: ended.signal,
    [Symbol.dispose]: () => {
      closing = true;
      watchers.clear();
      stream.cancel();
    },
  };
  try {
    await sync();
  } catch (error) {
    session[Symbol.dispose]();
    throw error;
  }
  return session;
};
