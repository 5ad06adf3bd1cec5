import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidData, parse } from '../../worker/contract/check.ts';
import { LabError, messageOf, usageFault } from '../system/errors.ts';
import { Results, resultsVersion } from './model/results.ts';

const load = async (path: string): Promise<unknown> => {
  const file = (await stat(path)).isDirectory() ? join(path, 'results.json') : path;
  return JSON.parse(await readFile(file, 'utf8'));
};

const versionOf = (document: unknown): unknown =>
  typeof document === 'object' && document !== null && 'version' in document ? document.version : undefined;

/**
 * The results in a report's folder or in a `results.json`. Throws a LabError: a usage fault when there is no report,
 * incomplete when it is of another version or damaged.
 */
export const readResults = async (path: string): Promise<Results> => {
  const document = await load(path).catch((error: unknown) => {
    throw usageFault(`no report at ${path}: ${messageOf(error)}`, ['npm run lab -- report list']);
  });
  const version = versionOf(document);
  if (version !== resultsVersion)
    throw new LabError(
      `the report at ${path} has version ${JSON.stringify(version)}; this lab reads version ${resultsVersion}`,
      { fault: 'incomplete', next: ['run the scenario again, or check out the revision that wrote the report'] },
    );
  try {
    return parse(Results, document, path);
  } catch (error) {
    if (!(error instanceof InvalidData)) throw error;
    throw new LabError(`the report at ${path} is damaged`, { fault: 'incomplete', cause: error });
  }
};
