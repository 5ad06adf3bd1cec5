import fs from 'node:fs/promises';
import path from 'node:path';
import { parseJson } from '../../worker/contract/check.ts';
import { LabError, messageOf, usageFault } from '../system/errors.ts';
import type { ShardReport } from './model/shards.ts';
import { type SuiteEntry, SuiteFile } from './model/suite.ts';
import { readResults } from './read.ts';

const suiteFile = 'suite.json';

const isThere = (file: string): Promise<boolean> =>
  fs.stat(file).then(
    () => true,
    () => false,
  );

/** The folders of suites in `folder`: itself, or those beside the reports of their runs. */
const suitesIn = async (folder: string): Promise<readonly string[]> => {
  if (await isThere(path.join(folder, suiteFile))) return [folder];
  const names = await fs.readdir(folder).catch((error: unknown) => {
    throw usageFault(`${folder} cannot be read: ${messageOf(error)}`);
  });
  const found = await Promise.all(
    names.toSorted().map(async (name) => {
      const inside = path.join(folder, name);
      return (await isThere(path.join(inside, suiteFile))) ? [inside] : [];
    }),
  );
  if (found.flat().length > 0) return found.flat();
  throw usageFault(`there is no report of a suite in ${folder}`, ['npm run lab -- suite --shard 1/2 --reports FOLDER']);
};

/** A report's own results; it counts without them where they are gone. */
const withResults = async (entry: SuiteEntry, folder: string): Promise<SuiteEntry> => {
  if (entry.report === undefined) return entry;
  const own = path.join(path.dirname(folder), entry.report);
  if (!(await isThere(own))) return entry;
  return { ...entry, results: await readResults(own) };
};

const readShard = async (folder: string): Promise<ShardReport> => {
  const file = path.join(folder, suiteFile);
  try {
    const { shard, entries } = parseJson(SuiteFile, await fs.readFile(file, 'utf8'), file);
    if (shard === undefined) throw usageFault(`${folder} is the report of a whole suite: only shards are merged`);
    return { from: folder, shard, entries: await Promise.all(entries.map((entry) => withResults(entry, folder))) };
  } catch (error) {
    if (error instanceof LabError) throw error;
    throw new LabError(`the report of a suite at ${folder} is damaged`, { fault: 'incomplete', cause: error });
  }
};

/**
 * The reports of shards in these folders; each is that of a suite, or holds such ones beside the reports of their runs.
 * Throws a usage fault where there is none.
 */
export const readShards = async (folders: readonly string[]): Promise<readonly ShardReport[]> =>
  await Promise.all((await Promise.all(folders.map(suitesIn))).flat().map(readShard));

/** Copies the reports of the shards' runs to where the merged one has them beside it. */
export const copyReports = async (shards: readonly ShardReport[], reports: string): Promise<void> => {
  for (const { from, entries } of shards)
    for (const { report, results } of entries) {
      if (report === undefined || results === undefined) continue;
      const [source, target] = [path.join(path.dirname(from), report), path.join(reports, report)];
      if (path.resolve(source) !== path.resolve(target)) await fs.cp(source, target, { recursive: true });
    }
};
