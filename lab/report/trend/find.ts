import fs from 'node:fs/promises';
import path from 'node:path';
import { messageOf, usageFault } from '../../system/errors.ts';
import { readResults } from '../read.ts';
import type { PastRun } from './trend.ts';

/** A nightly run has its reports three folders below that of all reports. */
const mostLevels = 4;

/** The folders at and below `folder` that hold a report. Links are not followed: `latest` is one of the others. */
const reportFolders = async (folder: string, levels: number): Promise<readonly string[]> => {
  const entries = await fs.readdir(folder, { withFileTypes: true });
  if (entries.some((entry) => entry.isFile() && entry.name === 'results.json')) return [folder];
  if (levels === 0) return [];
  const inside = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const found = await Promise.all(
    inside.toSorted().map((name) => reportFolders(path.join(folder, name), levels - 1).catch(() => [])),
  );
  return found.flat();
};

/**
 * The reports below a folder, and why some of them cannot be read. Throws a usage fault where the folder cannot be read
 * or holds none.
 */
export const findReports = async (
  folder: string,
): Promise<{ readonly runs: readonly PastRun[]; readonly troubles: readonly string[] }> => {
  const folders = await reportFolders(folder, mostLevels).catch((error: unknown) => {
    throw usageFault(`${folder} cannot be read: ${messageOf(error)}`);
  });
  const read = await Promise.all(
    folders.map((one) =>
      readResults(one).then(
        (results): PastRun => ({ folder: one, results }),
        (error: unknown) => messageOf(error),
      ),
    ),
  );
  const runs = read.filter((one) => typeof one !== 'string');
  if (runs.length === 0)
    throw usageFault(`there is no report to read in ${folder}`, ['npm run lab -- scenario bridged --deterministic']);
  return { runs, troubles: read.filter((one) => typeof one === 'string') };
};
