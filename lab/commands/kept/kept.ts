import { existsSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { usageFault } from '../../system/errors.ts';
import { keptRuns, type RunRecord } from '../../system/runs.ts';

/** The kept machine with an id, or the newest one. Throws a usage fault when there is none. */
export const keptRun = async (id: string | undefined): Promise<RunRecord> => {
  const kept = await keptRuns();
  const found = id === undefined ? kept.at(-1) : kept.find((run) => run.id === id);
  // two containers may share a cache and nothing else
  if (found && !existsSync(found.folder))
    throw usageFault(`the kept machine ${found.id} (${found.what}) is in another container, on the host ${found.host}`);
  if (found) return found;
  throw usageFault(
    id === undefined
      ? 'no machine was kept'
      : `no kept machine ${id} (there are ${kept.map((run) => run.id).join(', ') || 'none'})`,
    ['npm run lab -- up', 'npm run lab -- scenario bridged --keep'],
  );
};

/** The names of a kept run's boards; none where there is one alone, which needs no name. */
const boardsIn = async (folder: string): Promise<readonly string[]> =>
  (await fs.readdir(folder)).filter((name) => /^board-\d+$/.test(name)).toSorted();

/**
 * The kept machine with an id, or the newest one, with its folder: of several boards that of the one that was named.
 * Throws a usage fault when none of them was, or one that is not there.
 */
export const keptBoard = async (id: string | undefined, board: string | undefined): Promise<RunRecord> => {
  const run = await keptRun(id);
  const boards = await boardsIn(run.folder);
  if (board === undefined && boards.length === 0) return run;
  if (board !== undefined && boards.includes(board))
    return { ...run, folder: path.join(run.folder, board), what: `${run.what}, ${board}` };
  if (boards.length === 0) throw usageFault(`${run.id} (${run.what}) is one board: leave out --board`);
  const which = board === undefined ? 'which board?' : `no board '${board}':`;
  throw usageFault(`${which} ${run.id} (${run.what}) has ${boards.join(', ')}`, [`--board ${boards[0]}`]);
};
