import { messageOf } from '../../system/errors.ts';
import { abortable } from '../../system/wait.ts';
import { type Packets, packetsFile } from '../board/capture.ts';
import { afterRun } from '../board/condition.ts';
import type { RunBoard } from '../board/run-board.ts';
import type { Log } from '../options.ts';
import { workerLogs } from '../services/worker.ts';
import type { RunContext } from './run-context.ts';

const collectMs = 60_000;

/** What the worker and the machine of a board wrote; a board that is gone or silent keeps its own part. */
const collectLogs = async (board: RunBoard): Promise<readonly Log[]> => {
  const { machine } = board;
  const workers = machine.lost.aborted
    ? []
    : await abortable(workerLogs(machine), AbortSignal.timeout(collectMs)).catch(() => []);
  const own = await Promise.all(machine.logs.map(async ({ name, read }) => ({ name, text: await read() })));
  return [...workers, ...own].map(({ name, text }) => ({
    name: board.named(name.endsWith('.log') ? name : `${name}.log`),
    content: text,
  }));
};

/** What was recorded on the links of a board, and the file that it is put into. */
export type Recording = Packets & { readonly file: string; readonly board: string | undefined };

/** What was recorded on each board's links; where nothing could be, the reason goes to `notes`. */
const collectPackets = async (boards: readonly RunBoard[], notes: string[]): Promise<readonly Recording[]> => {
  const recordings = await Promise.all(
    boards
      .filter(({ isOff }) => !isOff)
      .map(async (board) => {
        try {
          const packets = await abortable(board.capture.end(), AbortSignal.timeout(collectMs));
          return [{ ...packets, file: board.named(packetsFile), board: board.name }];
        } catch (error) {
          notes.push(board.name === undefined ? messageOf(error) : `${board.name}: ${messageOf(error)}`);
          return [];
        }
      }),
  );
  return recordings.flat();
};

/** What a run leaves of its boards for the report. */
export type Collected = { readonly logs: readonly Log[]; readonly recordings: readonly Recording[] };

/** Collects logs, conditions and, where `withPackets`, recordings from the boards before they end. */
export const collect = async (
  { observations }: RunContext,
  boards: readonly RunBoard[],
  withPackets: boolean,
): Promise<Collected> => {
  const recordings = withPackets ? await collectPackets(boards, observations.notes) : [];
  const logs = (await Promise.all(boards.map(collectLogs))).flat();
  for (const board of boards) board.condition = await afterRun(board.machine, board.condition);
  return { logs, recordings };
};
