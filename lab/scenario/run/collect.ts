import type { Machine } from '../../machine/machine.ts';
import { messageOf } from '../../system/errors.ts';
import { abortable } from '../../system/wait.ts';
import type { Capture, Packets } from '../board/capture.ts';
import type { Log } from '../options.ts';
import { workerLogs } from '../services/worker.ts';

const collectMs = 60_000;

/** What the worker and the machine wrote; a board that is gone or silent keeps its own part. */
export const collectLogs = async (machine: Machine): Promise<readonly Log[]> => {
  const board = machine.lost.aborted
    ? []
    : await abortable(workerLogs(machine), AbortSignal.timeout(collectMs)).catch(() => []);
  const own = await Promise.all(machine.logs.map(async ({ name, read }) => ({ name, text: await read() })));
  return [...board, ...own].map(({ name, text }) => ({
    name: name.endsWith('.log') ? name : `${name}.log`,
    content: text,
  }));
};

/** What was recorded on the board's links; when nothing could be, the reason goes to `notes`. */
export const collectPackets = (capture: Capture, notes: string[]): Promise<Packets | undefined> =>
  abortable(capture.end(), AbortSignal.timeout(collectMs)).catch((error: unknown) => {
    notes.push(messageOf(error));
    return undefined;
  });
