import { conditionsOf } from '../../formats/wording.ts';
import type { Results } from '../../model/results.ts';
import type { Markup } from '../markup.ts';
import type { Section } from '../section.ts';
import { table } from '../table.ts';

const conditionTable = ({ run }: Results): Markup | undefined =>
  table(
    'The board',
    ['', 'before', 'after'],
    conditionsOf(run).map(({ name, before, after }) => [name, before, after]),
  );

/** What the board was like before and after the run. */
export const board: Section = { id: 'board', title: 'The board', content: conditionTable };
