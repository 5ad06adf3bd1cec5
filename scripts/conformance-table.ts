import { type FactId, facts } from '../test/conformance/world/facts.ts';
import type { Case } from './tap/tap-summary.ts';

/** A fact and what came of it: in each setting that it was tested in, by the setting's name ("" for the usual one). */
export type Row = {
  readonly id: FactId;
  readonly text: string;
  readonly results: readonly { readonly setting: string; readonly state: Case['state']; readonly why: string }[];
};

const settingOf = (name: string): string => /\[(?<setting>\w+)\]$/.exec(name)?.groups?.['setting'] ?? '';

/** Every fact in the contract's order, also the ones that no test was run for. */
export const rowsOf = (cases: readonly Case[]): readonly Row[] =>
  (Object.keys(facts) as FactId[]).map((id) => ({
    id,
    text: facts[id],
    results: cases
      .filter(({ name }) => name.startsWith(`${id} `))
      .map(({ name, state, why }) => ({ setting: settingOf(name), state, why })),
  }));

const words = { pass: 'pass', fail: '**fail**', skip: 'not tested' } as const;

const cell = ({ results }: Row): string =>
  results.length === 0
    ? 'not tested'
    : results
        .map(({ setting, state, why }) => {
          const reason = state === 'skip' && why !== '' ? ` (${why})` : '';
          return `${words[state]}${reason}${setting === '' ? '' : ` ${setting}`}`;
        })
        .join(', ');

/** The table as Markdown; `commands` says what was tested. */
export const markdownOf = (rows: readonly Row[], commands: Readonly<Record<string, string>>): string => {
  const tested = Object.entries(commands).map(([name, command]) => `- ${name}: \`${command}\``);
  const lines = rows.map((row) => `| ${row.id} | ${row.text.replaceAll('|', '\\|')} | ${cell(row)} |`);
  return `# Conformance\n\n${tested.join('\n')}\n\n| Fact | A worker… | Result |\n|---|---|---|\n${lines.join('\n')}\n`;
};
