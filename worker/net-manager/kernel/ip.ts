import { batched } from '../../system/batched.ts';
import { CommandFailed, type RunOptions, run } from '../../system/run.ts';
import type { Change } from '../plan/plan.ts';

/** Changes that stopped at one of them. `done` came before that one and is to be taken back. */
export class ChangesFailed extends Error {
  override readonly name = 'ChangesFailed';
  readonly done: readonly Change[];
  constructor(done: readonly Change[], cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.done = done;
  }
}

/** Runs commands of `ip` in one process; `options` are its own. Throws `CommandFailed`. */
export const ipBatch = (
  commands: readonly string[],
  options: readonly string[] = [],
  limits: Pick<RunOptions, 'timeoutMs'> = {},
): Promise<string> =>
  run(['ip', ...options, '-batch', '-'], { ...limits, input: commands.map((command) => `${command}\n`).join('') });

/** How many commands `ip -batch` had done when it stopped; undefined when it does not say. */
const countDone = (error: unknown): number | undefined => {
  const line = error instanceof CommandFailed ? /Command failed -:(\d+)/.exec(error.stderr)?.[1] : undefined;
  return line === undefined ? undefined : Number(line) - 1;
};

type Outcome = ChangesFailed | undefined;

/** Makes several lists of changes in one process, and those behind one that fails in another. */
const makeLists = async (lists: readonly (readonly Change[])[]): Promise<readonly Outcome[]> => {
  if (lists.length === 0) return [];
  try {
    await ipBatch(lists.flatMap((changes) => changes.map((change) => change.do)));
    return lists.map(() => undefined);
  } catch (error) {
    const done = countDone(error);
    if (done === undefined) return lists.map((changes) => new ChangesFailed(changes, error));
    const owners = lists.flatMap((changes, index) => changes.map(() => index));
    const failed = owners[done] ?? 0;
    const failure = new ChangesFailed(lists[failed]?.slice(0, done - owners.indexOf(failed)) ?? [], error);
    const before = lists.slice(0, failed).map(() => undefined);
    return [...before, failure, ...(await makeLists(lists.slice(failed + 1)))];
  }
};

const makeTogether = batched(makeLists);

/** Makes changes in one process with what others want changed meanwhile. Throws {@link ChangesFailed}. */
export const makeChanges = async (changes: readonly Change[]): Promise<void> => {
  const failure = await makeTogether(changes);
  if (failure) throw failure;
};

/** Takes changes back, last first, and goes on after one that can't be. */
export const revertChanges = async (changes: readonly Change[]): Promise<void> => {
  const undo = changes.flatMap((change) => change.undo ?? []).toReversed();
  if (undo.length > 0) await ipBatch(undo, ['-force']);
};
