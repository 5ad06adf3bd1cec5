import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Type from 'typebox';
import { parseJson } from '../../../worker/contract/check.ts';
import { labFault } from '../../system/errors.ts';
import type { RunFolder } from '../../system/runs.ts';
import { abortable, deadline } from '../../system/wait.ts';
import { type LinkConditions, type LinkCounts, SwitchAnswer } from './conditions.ts';

const program = fileURLToPath(new URL('./program.ts', import.meta.url));
const startMs = 20_000;
const changeMs = 10_000;

/** A board's place on a segment: the socket of its link, and what it is called there. */
export type SegmentPort = {
  readonly socket: string;
  /** Its Ethernet address there. */
  readonly mac: string;
  /** Its IPv4 address there, with the length of the prefix. */
  readonly address: string;
};

/** A private Ethernet segment of several boards. Disposing of it ends it. */
export type Segment = AsyncDisposable & {
  /** The place of a board, by its name. */
  readonly portOf: (board: string) => SegmentPort;
  /** Makes a board's link as `conditions` say and nothing else, in both directions; resolves when it is so. */
  readonly change: (board: string, conditions: LinkConditions) => Promise<LinkCounts>;
  /** Aborted when the switch ends by itself. */
  readonly lost: AbortSignal;
  /** Lets the switch go on when this process ends. */
  readonly release: () => void;
};

const Listening = Type.Object({ listening: Type.Integer() });

/** The nth board's place, from 0: the range of addresses is one that neither a cluster nor QEMU's own network uses. */
const portAt = (folder: string, board: string, n: number): SegmentPort => ({
  socket: path.join(folder, `${board}.sock`),
  // locally administered, as QEMU's own are
  mac: `52:54:00:77:00:${(11 + n).toString(16).padStart(2, '0')}`,
  address: `192.168.77.${11 + n}/24`,
});

/**
 * Starts a switch that joins `boards` without any privileges: their emulators connect to unix sockets. It carries the
 * run's mark. Throws a lab fault when it does not come up.
 */
export const openSegment = async (
  run: Pick<RunFolder, 'folder' | 'env' | 'lock'>,
  boards: readonly string[],
  signal?: AbortSignal,
): Promise<Segment> => {
  const folder = path.join(run.folder, 'segment');
  await fs.mkdir(folder, { recursive: true });
  const log = await fs.open(path.join(folder, 'switch.log'), 'a');
  const child = spawn(process.execPath, [program, folder, ...boards], {
    cwd: folder,
    env: { ...process.env, ...run.env },
    detached: true,
    stdio: ['pipe', 'pipe', log.fd, run.lock],
  });
  await log.close();
  const lost = new AbortController();
  const waiting: ((line: string) => void)[] = [];
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      lost.abort(labFault(`the switch between the boards could not be started: ${error.message}`));
      resolve();
    });
    child.once('exit', (code, by) => {
      lost.abort(labFault(`the switch between the boards ended with ${by ?? code}`));
      resolve();
    });
  });
  const { stdin, stdout } = child;
  stdin?.on('error', () => {});
  if (stdout) createInterface({ input: stdout }).on('line', (line) => waiting.shift()?.(line));
  const answer = (ms: number) =>
    abortable(
      new Promise<string>((resolve) => waiting.push(resolve)),
      deadline(ms, 'the switch between the boards', lost.signal, signal),
    );
  const end = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  try {
    parseJson(Listening, await answer(startMs), "the switch's first line");
  } catch (error) {
    await end();
    throw error;
  }
  const placeOf = (board: string): number => {
    const place = boards.indexOf(board);
    if (place < 0) throw new Error(`no board '${board}' on the segment: there are ${boards.join(', ')}`);
    return place;
  };
  return {
    portOf: (board) => portAt(folder, board, placeOf(board)),
    change: async (link, conditions) => {
      placeOf(link);
      const answered = answer(changeMs);
      stdin?.write(`${JSON.stringify({ link, conditions })}\n`);
      return parseJson(SwitchAnswer, await answered, "the switch's answer").counts;
    },
    lost: lost.signal,
    release: () => {
      child.unref();
      stdin?.destroy();
      stdout?.destroy();
    },
    [Symbol.asyncDispose]: end,
  };
};
