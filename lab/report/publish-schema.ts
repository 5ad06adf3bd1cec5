/** Writes the published copy of the results' schema: `node lab/report/publish-schema.ts`. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Results } from './model/results.ts';

export const publishedSchema = join(import.meta.dirname, '../../reports/schema.json');

/** The schema as the published copy holds it. */
export const schemaText = (): string => `${JSON.stringify(Results, undefined, 2)}\n`;

if (import.meta.main) await writeFile(publishedSchema, schemaText());
