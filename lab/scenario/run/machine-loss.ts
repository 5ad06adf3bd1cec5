import { messageOf } from '../../system/errors.ts';
import { deadline } from '../../system/wait.ts';
import type { RunBoard } from '../board/run-board.ts';
import { StepFailed, type Steps } from './steps.ts';

const missedMs = 120_000;

/**
 * What a step really failed of. A board at the end of a network is missed only a while after it was lost, and what
 * waited for it fails before: so each is asked something trivial first.
 */
export const attributeMachineLoss = async (
  failure: unknown,
  steps: Steps,
  boards: readonly RunBoard[],
  signal: AbortSignal,
): Promise<unknown> => {
  if (!(failure instanceof StepFailed) || failure.verdict !== 'failed') return failure;
  const standing = boards.filter(({ isOff }) => !isOff);
  await Promise.all(
    standing.map(({ machine: { exec, lost } }) =>
      exec(['true'], { signal: deadline(missedMs, 'the board', signal, lost) }).catch(() => {}),
    ),
  );
  const missed = standing.find(({ lost }) => lost.aborted);
  if (missed === undefined) return failure;
  const { step, task } = failure;
  steps.excuse(step);
  const { reason } = missed.lost;
  const where = { ...(task === undefined ? {} : { task }), board: missed.name };
  const message = missed.name === undefined ? messageOf(reason) : `${missed.name}: ${messageOf(reason)}`;
  return new StepFailed(step, where, 'error', message, reason);
};
