import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { messageOf, usageFault } from '../system/errors.ts';
import { nearest } from '../system/nearest.ts';
import type { Scenario } from './scenario.ts';

const folder = fileURLToPath(new URL('../../scenarios/', import.meta.url));

/** Names of the scenarios that come with the lab. */
export const scenarioNames = async (): Promise<readonly string[]> =>
  (await fs.readdir(folder))
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path.basename(name, '.ts'))
    .toSorted();

const isScenario = (value: unknown): value is Scenario =>
  typeof value === 'object' &&
  value !== null &&
  'description' in value &&
  typeof value.description === 'string' &&
  'requires' in value &&
  Array.isArray(value.requires) &&
  'network' in value &&
  typeof value.network === 'object' &&
  'run' in value &&
  typeof value.run === 'function';

/** A scenario with its name and the file that exports it. */
export type FoundScenario = { readonly name: string; readonly file: string; readonly scenario: Scenario };

/** A scenario by its name, or by the path of a file anywhere. Throws a usage fault that names the nearest one. */
export const findScenario = async (wanted: string): Promise<FoundScenario> => {
  const isPath = wanted.includes('/') || wanted.endsWith('.ts');
  if (!isPath) {
    const names = await scenarioNames();
    if (!names.includes(wanted)) throw usageFault(`no scenario '${wanted}'${nearest(wanted, names)}`);
  }
  const file = isPath ? path.resolve(wanted) : path.join(folder, `${wanted}.ts`);
  const module: unknown = await import(pathToFileURL(file).href).catch((error: unknown) => {
    throw usageFault(`cannot load the scenario ${wanted}: ${messageOf(error)}`);
  });
  const found = typeof module === 'object' && module !== null && 'default' in module ? module.default : undefined;
  if (!isScenario(found))
    throw usageFault(`${wanted} exports no scenario: export default scenario({ description, requires, network, run })`);
  return { name: path.basename(file, path.extname(file)), file, scenario: found };
};
