import type { Results } from '../model/results.ts';
import type { LogText, Section } from './section.ts';
import { board } from './sections/board.ts';
import { failure } from './sections/failure.ts';
import { figures } from './sections/figures.ts';
import { firstAnswer } from './sections/first-answer.ts';
import { inputs } from './sections/inputs.ts';
import { load } from './sections/load.ts';
import { logs } from './sections/logs.ts';
import { network } from './sections/network.ts';
import { notes } from './sections/notes.ts';
import { steps } from './sections/steps.ts';

/** In the order in which a person asks. */
const sections: readonly Section[] = [
  ...[failure, steps, network, load, figures],
  ...[firstAnswer, notes, board, inputs, logs],
];

/** Everything that a page says about a run: each section that has content. */
export const sectionsOf = (results: Results, texts: readonly LogText[]) =>
  sections
    .map(({ id, title, content }) => ({ id, title, content: content(results, texts) }))
    .filter(({ content }) => content !== undefined);
