import { existsSync } from 'node:fs';
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
    ['npm run lab -- scenario bridged --keep'],
  );
};
