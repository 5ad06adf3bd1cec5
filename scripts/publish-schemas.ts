// Writes the published copies of schemas that others read, editors among them: node scripts/publish-schemas.ts
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TSchema } from 'typebox';
import { SettingsFile } from '../lab/image/sd/settings.ts';
import { MachineFile } from '../lab/machine/hardware/definition.ts';
import { Results } from '../lab/report/model/results.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

const draft = { $schema: 'http://json-schema.org/draft-07/schema#' };

const schemas: Readonly<Record<string, TSchema>> = {
  'reports/schema.json': Results,
  'docs/schemas/machine.json': { ...draft, ...MachineFile },
  'docs/schemas/settings.json': { ...draft, ...SettingsFile },
};

/** Each published copy: where it is, and the text that it has to have. */
export const publishedSchemas: readonly { readonly file: string; readonly text: string }[] = Object.entries(
  schemas,
).map(([name, schema]) => ({ file: path.join(root, name), text: `${JSON.stringify(schema, undefined, 2)}\n` }));

if (import.meta.main)
  for (const { file, text } of publishedSchemas) {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
  }
