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

/** The new name of each key that version 2 renamed, by the object that it stands in. */
const renamed = { scenario: { about: 'description' }, expectation: { what: 'name', came: 'actual' } } as const;

const renameKeys = (value: unknown, names: Readonly<Record<string, string>>): unknown =>
  typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).map(([key, content]) => [names[key] ?? key, content]))
    : value;

/** A document of version 1 as version 2 has it; what does not look like one is left for the schema to refuse. */
const upgraded = (document: Readonly<Record<string, unknown>>): unknown => ({
  ...document,
  version: resultsVersion,
  scenario: renameKeys(document['scenario'], renamed.scenario),
  steps: [document['steps']].flat().map((step: unknown) =>
    typeof step === 'object' && step !== null && 'expectations' in step
      ? {
          ...step,
          expectations: [step.expectations].flat().map((one: unknown) => renameKeys(one, renamed.expectation)),
        }
      : step,
  ),
});

/**
 * The results in a report's folder or in a `results.json`. Throws a LabError: a usage fault when there is no report,
 * incomplete when it is of another version or damaged.
 */
export const readResults = async (path: string): Promise<Results> => {
  const document = await load(path).catch((error: unknown) => {
    throw usageFault(`no report at ${path}: ${messageOf(error)}`, ['npm run lab -- report list']);
  });
  const version = versionOf(document);
  if (version !== 1 && version !== resultsVersion)
    throw new LabError(
      `the report at ${path} has version ${JSON.stringify(version)}; this lab reads versions 1 and ${resultsVersion}`,
      { fault: 'incomplete', next: ['run the scenario again, or check out the revision that wrote the report'] },
    );
  try {
    return parse(Results, version === 1 ? upgraded(document as Readonly<Record<string, unknown>>) : document, path);
  } catch (error) {
    if (!(error instanceof InvalidData)) throw error;
    throw new LabError(`the report at ${path} is damaged`, { fault: 'incomplete', cause: error });
  }
};
