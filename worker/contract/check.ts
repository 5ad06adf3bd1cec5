import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Static, TSchema } from 'typebox';

/** Data that does not fit a schema. `problems` has one line a fault: where, what is expected, what was there. */
export class InvalidData extends Error {
  override readonly name = 'InvalidData';
  readonly problems: readonly string[];
  constructor(name: string, problems: readonly string[]) {
    super(`${name}: ${problems.join('; ')}`);
    this.problems = problems;
  }
}

// The schemas are this project's own and checked by its tests; here that would be much of a daemon's start.
const ajv = new Ajv2020({
  allErrors: true,
  strict: true,
  strictRequired: false,
  allowUnionTypes: true,
  meta: false,
  validateSchema: false,
  code: { optimize: false }, // takes longer than all that a daemon ever checks
});
ajv.addVocabulary(['x-refused']); // read.ts
const compiled = new WeakMap<TSchema, ValidateFunction>();

const validator = (schema: TSchema): ValidateFunction => {
  const known = compiled.get(schema);
  if (known) return known;
  const fresh = ajv.compile(schema);
  compiled.set(schema, fresh);
  return fresh;
};

const valueAt = (data: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], data);

/** Something in data that does not fit a schema: where, and a line for people. */
export type Fault = { readonly path: readonly string[]; readonly text: string };

const explain = (error: ErrorObject, data: unknown): Fault => {
  const path = error.instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const value = valueAt(data, path);
  const detail =
    error.keyword === 'additionalProperties'
      ? ` '${error.params['additionalProperty']}'`
      : error.keyword === 'enum'
        ? ` ${(error.params['allowedValues'] as readonly unknown[]).join(', ')}`
        : '';
  const shown = typeof value === 'object' ? '' : ` (got ${JSON.stringify(value)?.slice(0, 80)})`;
  return { path, text: `${path.join('.') || 'the document'} ${error.message}${detail}${shown}` };
};

/** The most faults that a document is looked at for: telling them all apart would keep a daemon busy for seconds. */
const maxFaults = 10_000;

/** What is wrong with `data`; empty when it fits, and one fault of the whole document when nearly everything is wrong. */
export const faultsOf = (schema: TSchema, data: unknown): readonly Fault[] => {
  const check = validator(schema);
  if (check(data)) return [];
  const errors = check.errors ?? [];
  if (errors.length > maxFaults) return [{ path: [], text: `the document has more than ${maxFaults} faults` }];
  return errors.map((error) => explain(error, data));
};

/** What is wrong with `data`, one line a fault; empty when it fits. */
export const problemsOf = (schema: TSchema, data: unknown): readonly string[] =>
  faultsOf(schema, data).map(({ text }) => text);

/** `data` typed as the schema says. Throws {@link InvalidData} naming `name` when it does not fit. */
export const parse = <T extends TSchema>(schema: T, data: unknown, name: string): Static<T> => {
  const problems = problemsOf(schema, data);
  if (problems.length > 0) throw new InvalidData(name, problems);
  return data as Static<T>;
};

/** JSON text parsed and checked. Throws {@link InvalidData} for text that is not JSON, too. */
export const parseJson = <T extends TSchema>(schema: T, text: string, name: string): Static<T> => {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw new InvalidData(name, [`not JSON: ${(error as Error).message}`]);
  }
  return parse(schema, data, name);
};
