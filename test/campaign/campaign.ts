import { setTimeout as sleep } from 'node:timers/promises';
import { inspect, isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { campaignRounds, campaignSeed, fileMs } from '../support/inputs.ts';
import { footprint } from '../worker/net-manager/kernel.ts';
import { inSandbox } from '../worker/net-manager/sandbox.ts';
import { noWasmtime } from '../worker/node-engine/support/daemon.ts';
import { NotInOrder, playRound } from './round.ts';
import { describeEvent, drawSchedule } from './schedule.ts';
import { openWorld, type World } from './world.ts';

/** How long rounds are begun when their number is not given, in ms. */
const usualMs = 25_000;

/** How long it may take until nothing is left, in ms. */
const restingMs = 120_000;

/** For how long nothing may change in what is taken as the board at rest, in ms. */
const unchangedMs = 1500;

/** How many connections a daemon may keep open for later. */
const keptOpen = 3;

const deadlineMs = 20_000_000;

/** Lines in an order of their own, without what a bridge that was made anew has of its own: its number and fe80::. */
const steady = (text: string): readonly string[] =>
  text
    .split('\n')
    .filter((line) => !line.includes('fe80::'))
    .map((line) => line.replace(/^\d+: /, '').trimEnd())
    .toSorted();

const boardAtRest = async () => {
  const { links, addresses, routes, ...others } = await footprint();
  return { ...others, links: links.toSorted(), addresses: steady(addresses), routes: steady(routes) };
};

/** What stays when nothing is deployed. */
const rest = async ({ parts }: World) => ({
  footprint: await boardAtRest(),
  descriptors: await Promise.all(parts.map((part) => part.descriptors())),
});

/** What stays when both daemons are up: looked at until it does not change for a while. */
const settledRest = async (world: World): Promise<Awaited<ReturnType<typeof rest>>> => {
  await world.cluster.ready();
  const limit = AbortSignal.timeout(restingMs);
  let seen = await rest(world);
  for (let since = performance.now(); performance.now() - since < unchangedMs; ) {
    limit.throwIfAborted();
    await sleep(100);
    const now = await rest(world);
    if (!isDeepStrictEqual(now, seen)) since = performance.now();
    seen = now;
  }
  return seen;
};

/** Waits until the board is as it was in the rest `before`, connections that are kept open aside. */
const restsAgain = async (world: World, before: Awaited<ReturnType<typeof rest>>): Promise<void> => {
  const limit = AbortSignal.timeout(restingMs);
  for (;;) {
    const now = await rest(world);
    const grown = now.descriptors.some((open, at) => open > (before.descriptors[at] ?? 0) + keptOpen);
    if (!grown && isDeepStrictEqual(now.footprint, before.footprint)) return;
    if (limit.aborted) throw new NotInOrder(`not as it was before: ${inspect({ before, now }, { depth: 4 })}`);
    await sleep(100);
  }
};

/** All that helps to understand a round that failed. */
const story = (world: World, from: number, events: readonly string[], repeat: string): string =>
  [
    `repeat it with: ${repeat}`,
    'the schedule:',
    ...events.map((line) => `  ${line}`),
    'what was said (two spaces in front: by the worker):',
    ...world.cluster.record.lines(from),
    ...world.parts.flatMap((part) => [`the end of the log of ${part.name}:`, part.log()]),
  ].join('\n');

/** Rounds of faults against a worker with this topology, as a test file of its own. */
export const campaign = (file: string, topology: 'bridged' | 'veth'): void =>
  inSandbox(file, () => {
    const { first, count } = campaignRounds;
    t.test(
      `${topology}: whatever fails, the worker does what it was ordered and says what is`,
      { skip: noWasmtime, timeout: fileMs },
      async (t) => {
        const signal = AbortSignal.timeout(deadlineMs);
        t.comment(`LAB_CAMPAIGN_SEED=${campaignSeed}`);
        await using world = await openWorld(topology, signal);
        let before: Awaited<ReturnType<typeof rest>> | undefined;
        const began = performance.now();
        const isOver = (round: number) =>
          count === undefined ? performance.now() - began > usualMs : round >= first + count;
        for (let round = first; !isOver(round); round++) {
          const seed = `${campaignSeed}/${topology}`;
          const schedule = drawSchedule(seed, round);
          const from = world.cluster.record.length;
          const start = performance.now();
          try {
            await playRound(schedule, world, `${seed}/${round}`);
            before ??= await settledRest(world);
            const known = before;
            await restsAgain(world, known);
            t.pass(`round ${round}: ${schedule.events.length} events, ${Math.round(performance.now() - start)} ms`);
          } catch (error) {
            const repeat = `LAB_CAMPAIGN_SEED=${campaignSeed} LAB_CAMPAIGN_ROUNDS=${round}-${round} npm test -- test/campaign/${topology}.test.ts`;
            t.comment(story(world, from, schedule.events.map(describeEvent), repeat));
            t.fail(`round ${round}: ${error instanceof Error ? error.message : String(error)}`);
            return;
          }
        }
      },
    );
  });
