import fs from 'node:fs/promises';
import path from 'node:path';
import Type, { type Static } from 'typebox';
import { Results } from '../../lab/report/model/results.ts';
import { parseJson } from '../../worker/contract/check.ts';

/** What a scenario prints with `--json`. */
const Printed = Type.Object({ folder: Type.String(), results: Type.Unknown() });

/** The results that `scenario --json` printed, checked against their schema, and the folder of the report. */
export const printedResults = (stdout: string): { readonly folder: string; readonly results: Results } => {
  const { folder, results } = parseJson(Printed, stdout, 'stdout of the lab');
  return { folder, results: parseJson(Results, JSON.stringify(results), 'the printed results') };
};

const Event = Type.Object({ ms: Type.Number(), kind: Type.String() });

/** The events of a report, in order. */
export const eventsOf = async (folder: string): Promise<readonly Static<typeof Event>[]> =>
  (await fs.readFile(path.join(folder, 'events.ndjson'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => parseJson(Event, line, 'events.ndjson'));
