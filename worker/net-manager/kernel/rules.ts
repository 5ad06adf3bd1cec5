import { batched } from '../../system/batched.ts';
import { type RunOptions, run } from '../../system/run.ts';
import { nftObjects, objects } from '../plan/json.ts';
import type { Rules } from '../plan/plan.ts';
import { remapCommands, type Target, withoutTargets, withTargets } from '../plan/port-maps.ts';
import { table } from '../plan/ruleset.ts';

/** So long may a transaction take, in ms: whole tables have thousands of lines, and a board may be busy. */
const patienceMs = 60_000;

/** Runs commands of `nft` in one transaction. Throws `CommandFailed`; then nothing was changed. */
export const nftBatch = (commands: readonly string[], limits: Pick<RunOptions, 'timeoutMs'> = {}): Promise<string> =>
  run(['nft', '-f', '-'], { ...limits, input: commands.map((one) => `${one}\n`).join('') });

/** The tables of all programs in this network namespace, each by its family and name, as in `inet oakestra_wasm`. */
export const tableNames = async (): Promise<ReadonlySet<string>> => {
  const listed: unknown = JSON.parse(await run(['nft', '-j', 'list', 'tables'], { timeoutMs: patienceMs }));
  const tables = nftObjects(listed).flatMap(({ table: one }) => objects([one]));
  return new Set(tables.map(({ family, name }) => `${String(family)} ${String(name)}`));
};

/** A change of our table: its commands, and the targets that the port maps hold after it. */
type Work = {
  readonly commands: readonly string[];
  readonly remap: (mapped: readonly Target[]) => readonly Target[];
  /** The commands make a table whose maps hold what `remap` says already, or remove it. */
  readonly whole?: true;
  /** What another program has removed already keeps nothing else from going. */
  readonly removal?: true;
};

/** What the port maps hold. A port's elements depend on all that share it, and the kernel is asked for none of them. */
let mapped: readonly Target[] = [];

const commandsOf = (before: readonly Target[], { commands, remap, whole }: Work): readonly string[] =>
  whole ? commands : [...commands, ...remapCommands(table, before, remap(before))];

type Outcome = { readonly error: unknown } | undefined;

/** Makes changes in one transaction. */
const transact = async (works: readonly Work[]): Promise<void> => {
  let after = mapped;
  const commands: string[] = [];
  for (const work of works) {
    commands.push(...commandsOf(after, work));
    after = work.remap(after);
  }
  if (commands.length > 0) await nftBatch(commands, { timeoutMs: patienceMs });
  mapped = after;
};

const makeAlone = async (work: Work): Promise<Outcome> => {
  try {
    await transact([work]);
  } catch (error) {
    if (!work.removal) return { error };
    for (const line of commandsOf(mapped, work))
      await nftBatch([line], { timeoutMs: patienceMs }).catch(() => undefined);
    mapped = work.remap(mapped);
  }
  return undefined;
};

const changeTogether = batched(async (works: readonly Work[]): Promise<readonly Outcome[]> => {
  const [only, second] = works;
  if (only !== undefined && second === undefined) return [await makeAlone(only)];
  try {
    await transact(works);
    return works.map(() => undefined);
  } catch {
    // One that can't be made keeps no other from being made.
    const outcomes: Outcome[] = [];
    for (const work of works) outcomes.push(await makeAlone(work));
    return outcomes;
  }
});

/** Makes a change after the ones before it, together with what others want changed meanwhile. */
const change = async (work: Work): Promise<void> => {
  const outcome = await changeTogether(work);
  if (outcome) throw outcome.error;
};

/** Makes the table or an instance's part of it. Throws `CommandFailed`; then nothing was changed. */
export const makeRules = ({ do: commands, holds, maps = [] }: Rules): Promise<void> =>
  holds === undefined
    ? change({ commands, remap: (all) => withTargets(all, maps) })
    : change({ commands, remap: () => holds, whole: true });

/** Takes back what {@link makeRules} did. */
export const revertRules = ({ undo: commands, holds, maps = [] }: Rules): Promise<void> =>
  holds === undefined
    ? change({ commands, remap: (all) => withoutTargets(all, maps), removal: true })
    : change({ commands, remap: () => [], whole: true });

/** Removes our table whether it is there or not: `delete` alone fails on one that is not. */
export const removeTable = (): Promise<void> =>
  change({ commands: [`table ${table} {}`, `delete table ${table}`], remap: () => [], whole: true });
