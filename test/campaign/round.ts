import { setTimeout as sleep } from 'node:timers/promises';
import type { Violation } from '../../lab/cluster/messages.ts';
import { begin } from './accidents.ts';
import { believed, problemsOf } from './invariants.ts';
import { observe } from './observe.ts';
import { randomFrom } from './random.ts';
import { type Event, type Planned, type Schedule, taskOf } from './schedule.ts';
import type { World } from './world.ts';

/** How long a worker may take to be in order again once nothing is wrong any more, in ms. */
const settlingMs = 240_000;

/** A worker that is not in order although nothing is wrong any more. */
export class NotInOrder extends Error {
  override readonly name = 'NotInOrder';
}

const happen = async (event: Event, world: World, seed: string): Promise<void> => {
  const { cluster, victims } = world;
  if (event.what !== 'accident') {
    const { what, planned } = event;
    return what === 'deploy' ? cluster.deploy(planned, world.imageOf(planned.kind)) : cluster.delete(planned);
  }
  cluster.record.note(`${event.kind} begins`);
  const heal = await begin(event.kind, victims, randomFrom(`${seed}/${event.at}`));
  await sleep(event.ms);
  await heal();
  cluster.record.note(`${event.kind} ends`);
};

/** What is wrong now. */
const problemsNow = async (world: World, planned: readonly Planned[]): Promise<readonly string[]> => {
  const { cluster, victims, parts } = world;
  const observed = await observe(victims.engine.state, victims.network.state);
  const running = await Promise.all(parts.map(async (part) => ((await part.runs()) ? [] : [`${part.name} is down`])));
  return [...running.flat(), ...problemsOf(cluster.record, planned, observed)];
};

/** Waits until nothing is wrong, twice in a row. Throws {@link NotInOrder} with what still is. */
const settle = async (what: string, world: World, planned: readonly Planned[]): Promise<void> => {
  const limit = AbortSignal.timeout(settlingMs);
  for (let quiet = 0; quiet < 2; ) {
    const problems = await problemsNow(world, planned);
    quiet = problems.length === 0 ? quiet + 1 : 0;
    if (limit.aborted) throw new NotInOrder(`${what}:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    await sleep(100);
  }
};

const isLateAddress = ({ problem }: Violation): boolean => problem.startsWith('gives an address to the ended instance');

/**
 * Wrong whenever it is seen. The halves of a worker have connections of their own: a NetManager that was restarted may
 * tell of a network that stands although the engine has told of the end of what was in it.
 */
const checkSaid = ({ cluster, parts }: World): void => {
  const troubles = [
    ...cluster
      .violations()
      .filter((each) => !isLateAddress(each))
      .map(({ topic, problem }) => `${topic}: ${problem}`),
    ...parts.flatMap((part) => part.troubles),
  ];
  if (troubles.length > 0) throw new NotInOrder(`what no fault explains:\n  - ${troubles.join('\n  - ')}`);
};

/**
 * Lets a schedule happen, then checks that the worker gets in order by itself, and that nothing is left once all is
 * deleted.
 */
export const playRound = async (schedule: Schedule, world: World, seed: string): Promise<void> => {
  const { instances, events } = schedule;
  await world.cluster.ready();
  const began = performance.now();
  await Promise.all(
    events.map(async (event) => {
      await sleep(Math.max(0, event.at - (performance.now() - began)));
      await happen(event, world, seed);
    }),
  );
  const { record } = world.cluster;
  record.note('nothing is wrong any more');
  await settle('not in order after the accidents', world, instances);
  record.note('all is deleted');
  const limit = AbortSignal.timeout(settlingMs);
  for (
    let left = instances;
    left.length > 0;
    left = instances.filter((one) => believed(record).get(taskOf(one)) === 'CREATED')
  ) {
    if (limit.aborted) throw new NotInOrder('instances cannot be deleted');
    for (const planned of left) world.cluster.delete(planned);
    await settle('not in order after all was deleted', world, instances);
  }
  checkSaid(world);
};
