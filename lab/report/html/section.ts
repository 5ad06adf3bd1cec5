import type { Results } from '../model/results.ts';
import type { Part } from './markup.ts';

/** A log that is folded into the report, by its name. */
export type LogText = { readonly name: string; readonly text: string };

/** A section of a run's page. One without content is left out. */
export type Section = {
  readonly id: string;
  readonly title: string;
  readonly content: (results: Results, logs: readonly LogText[]) => Part;
};
