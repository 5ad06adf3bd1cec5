import { run } from '../../system/run.ts';
import { asNew, type Change, inside, type Plan, type Step } from '../plan/plan.ts';
import { runEach } from './accepts.ts';
import { ChangesFailed, makeChanges, revertChanges } from './ip.ts';
import { writeSysctl } from './kernel.ts';
import { makeRules, revertRules } from './rules.ts';

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

const applyStep = async (step: Step): Promise<void> => {
  switch (step.tool) {
    case 'ip':
      await makeChanges(step.changes);
      return;
    case 'nft':
      await makeRules(step);
      return;
    case 'sysctl':
      for (const [key, value] of Object.entries(step.values)) await writeSysctl(key, value);
      return;
    case 'inside':
      await run(inside(step), { input: lines(step.changes.map((change) => change.do)) });
      return;
    case 'command':
      for (const command of step.commands) await run(command.do);
  }
};

/** Applies a plan step by step. Throws {@link PlanFailed} that says how far it got. */
export const applyPlan = async (plan: Plan): Promise<void> => {
  const done: Step[] = [];
  for (const step of asNew(plan)) {
    try {
      await applyStep(step);
      done.push(step);
    } catch (error) {
      if (error instanceof ChangesFailed) done.push({ tool: 'ip', changes: error.done });
      throw new PlanFailed(done, error);
    }
  }
};

/** Makes changes one behind another's failure, and tells the failures. */
const makeEach = async (changes: readonly Change[]): Promise<readonly string[]> => {
  try {
    await makeChanges(changes);
    return [];
  } catch (error) {
    const done = error instanceof ChangesFailed ? error.done.length : changes.length;
    const rest = changes.slice(done + 1);
    return [(error as Error).message, ...(rest.length > 0 ? await makeEach(rest) : [])];
  }
};

/** Applies as much of a plan as can be and tells what could not be and why. */
export const applyParts = async (plan: Plan): Promise<readonly string[]> => {
  const failures: string[] = [];
  for (const step of plan) {
    if (step.tool === 'ip') failures.push(...(await makeEach(step.changes)));
    else if (step.tool === 'command') failures.push(...(await runEach(step.commands)));
    else await applyStep(step).catch((error: unknown) => failures.push((error as Error).message));
  }
  return failures;
};

const undoStep = async (step: Step): Promise<void> => {
  if (step.tool === 'nft') await revertRules(step);
  if (step.tool === 'ip') await revertChanges(step.changes);
};

/** Takes back what a plan did, last step first; goes on after a failure and throws them all at the end. */
export const undoPlan = async (done: Plan): Promise<void> => {
  const failures: unknown[] = [];
  for (const step of done.toReversed()) await undoStep(step).catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('; '));
};
