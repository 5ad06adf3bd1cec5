import type { Machine } from '../../machine/machine.ts';
import { messageOf } from '../../system/errors.ts';
import { deadline } from '../../system/wait.ts';
import { StepFailed, type Steps } from './steps.ts';

const missedMs = 120_000;

/**
 * What a step really failed of. A board at the end of a network is missed only a while after it was lost, and what
 * waited for it fails before: so it is asked something trivial first.
 */
export const attributeMachineLoss = async (
  failure: unknown,
  steps: Steps,
  machine: Machine,
  signal: AbortSignal,
): Promise<unknown> => {
  if (!(failure instanceof StepFailed) || failure.verdict !== 'failed') return failure;
  const { step, task } = failure;
  await machine.exec(['true'], { signal: deadline(missedMs, 'the board', signal, machine.lost) }).catch(() => {});
  if (!machine.lost.aborted) return failure;
  steps.excuse(step);
  const { reason } = machine.lost;
  return new StepFailed(step, task === undefined ? {} : { task }, 'error', messageOf(reason), reason);
};
