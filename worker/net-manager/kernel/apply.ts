import { batched } from '../../system/batched.ts';
import { run } from '../../system/run.ts';
import { inside, type Plan, type Step } from '../plan/plan.ts';
import { ChangesFailed, makeChanges, takeBack } from './ip.ts';
import { writeSysctl } from './kernel.ts';

/** A plan that stopped half-way. `done` is what had been changed by then and is to be taken back. */
export class PlanFailed extends Error {
  override readonly name = 'PlanFailed';
  readonly done: Plan;
  constructor(done: Plan, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.done = done;
  }
}

const lines = (texts: readonly string[]): string => texts.map((text) => `${text}\n`).join('');

const nft = (commands: readonly string[]) => run(['nft', '-f', '-'], { input: lines(commands) });

const nftTogether = batched(async (steps: readonly (readonly string[])[]) => {
  await nft(steps.flat());
  return steps;
});

/** Changes rules in one transaction with what others want changed; without them when one of those can't be. */
const changeRules = (commands: readonly string[]): Promise<unknown> => nftTogether(commands).catch(() => nft(commands));

const applyStep = async (step: Step): Promise<void> => {
  switch (step.tool) {
    case 'ip':
      await makeChanges(step.changes);
      return;
    case 'nft':
      await changeRules(step.do);
      return;
    case 'sysctl':
      for (const [key, value] of Object.entries(step.values)) await writeSysctl(key, value);
      return;
    case 'inside':
      await run(inside(step), { input: lines(step.do) });
  }
};

/** Applies a plan step by step. Throws {@link PlanFailed} that says how far it got. */
export const applyPlan = async (plan: Plan): Promise<void> => {
  const done: Step[] = [];
  for (const step of plan) {
    try {
      await applyStep(step);
      done.push(step);
    } catch (error) {
      if (error instanceof ChangesFailed) done.push({ tool: 'ip', changes: error.done });
      throw new PlanFailed(done, error);
    }
  }
};

const undoStep = async (step: Step): Promise<void> => {
  if (step.tool === 'nft')
    await changeRules(step.undo).catch(async () => {
      // One element that is gone already would keep all the others.
      for (const line of step.undo) await nft([line]).catch(() => undefined);
    });
  if (step.tool === 'ip') await takeBack(step.changes);
};

/** Takes back what a plan did, last step first; goes on after a failure and throws them all at the end. */
export const undoPlan = async (done: Plan): Promise<void> => {
  const failures: unknown[] = [];
  for (const step of done.toReversed()) await undoStep(step).catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('; '));
};
