import { taskId } from '../../worker/contract/names.ts';
import { type Random, randomFrom } from './random.ts';

/** What an instance does: `services` and `lasts` stay, the others end by themselves or never come up. */
const kinds = [
  [4, 'replica'],
  [3, 'service'],
  [2, 'lasts'],
  [2, 'succeeds'],
  [1, 'naps'],
  [2, 'fails'],
  [1, 'library'],
  [1, 'missing'],
] as const;
export type Kind = (typeof kinds)[number][1];

/** One instance of a round. */
export type Planned = {
  readonly service: string;
  readonly instance: number;
  readonly kind: Kind;
  readonly port: string;
  readonly oneShot: boolean;
};

const accidentKinds = [
  [5, 'NodeEngine: SIGKILL'],
  [4, 'NetManager: SIGKILL'],
  [2, 'both daemons: SIGKILL'],
  [2, 'NodeEngine: SIGTERM'],
  [2, 'NetManager: SIGTERM'],
  [2, 'NodeEngine: SIGSTOP'],
  [2, 'NetManager: SIGSTOP'],
  [4, 'an instance: SIGKILL'],
  [3, 'broker: away'],
  [2, 'broker: mute'],
  [2, 'NodeEngine: disk full'],
  [1, 'NodeEngine: disk read-only'],
  [2, 'NetManager: disk full'],
  [1, 'NetManager: disk read-only'],
  [1, 'NodeEngine: no descriptors'],
  [1, 'NetManager: no descriptors'],
] as const;
export type AccidentKind = (typeof accidentKinds)[number][1];

/** Something that happens `at` ms after a round began. An accident lasts `ms`, where it lasts. */
export type Event =
  | { readonly at: number; readonly what: 'deploy' | 'delete'; readonly planned: Planned }
  | { readonly at: number; readonly what: 'accident'; readonly kind: AccidentKind; readonly ms: number };

export type Schedule = { readonly instances: readonly Planned[]; readonly events: readonly Event[] };

/** Orders and the beginnings of accidents fall into so many ms. */
const spanMs = 3000;
const longestMs = 2500;

const drawInstance = (random: Random, number: number): Planned => {
  const kind = random.weighted(kinds);
  const oneShot = ['succeeds', 'naps', 'fails'].includes(kind) && random.chance(0.6);
  if (kind === 'replica') return { service: 'app.ns.replica.ns', instance: number, kind, port: '8080:80', oneShot };
  const port = kind === 'service' ? `${8100 + number}:80` : '';
  return { service: `app.ns.${kind}.ns`, instance: number, kind, port, oneShot };
};

/** An instance's orders: deployed, perhaps again, perhaps deleted, perhaps that twice, perhaps deployed anew. */
const drawOrders = (random: Random, planned: Planned): readonly Event[] => {
  const first = random.between(0, spanMs / 2);
  const later = (after: number) => random.between(after, spanMs);
  const order = (what: 'deploy' | 'delete', at: number): Event => ({ at, what, planned });
  const orders = [order('deploy', first)];
  if (random.chance(0.2)) orders.push(order('deploy', later(first)));
  if (random.chance(0.5)) {
    const deleted = later(first);
    orders.push(order('delete', deleted));
    if (random.chance(0.2)) orders.push(order('delete', later(deleted)));
    if (random.chance(0.4)) orders.push(order('deploy', later(deleted)));
  }
  return orders;
};

/** What happens in a round. The same seed and round draw the same. */
export const drawSchedule = (seed: string, round: number): Schedule => {
  const random = randomFrom(`${seed}/${round}`);
  const instances = Array.from({ length: random.between(2, 6) }, (_, number) => drawInstance(random, number));
  const accidents = Array.from({ length: random.between(1, 4) }, (): Event => {
    const at = random.between(0, spanMs);
    return { at, what: 'accident', kind: random.weighted(accidentKinds), ms: random.between(100, longestMs) };
  });
  const events = [...instances.flatMap((planned) => drawOrders(random, planned)), ...accidents];
  return { instances, events: events.toSorted((one, other) => one.at - other.at) };
};

export const taskOf = ({ service, instance }: Planned): string => taskId(service, instance);

/** An event as a line for people. */
export const describeEvent = (event: Event): string => {
  const at = `${String(event.at).padStart(5)} ms`;
  if (event.what === 'accident') return `${at}  ${event.kind}, ${event.ms} ms`;
  const { kind, port, oneShot } = event.planned;
  const details = [kind, ...(port === '' ? [] : [port]), ...(oneShot ? ['one_shot'] : [])].join(', ');
  return `${at}  ${event.what} ${taskOf(event.planned)} (${details})`;
};
