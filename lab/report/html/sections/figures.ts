import { figureTable } from '../../formats/tables.ts';
import type { Results } from '../../model/results.ts';
import type { Markup } from '../markup.ts';
import type { Section } from '../section.ts';
import { table } from '../table.ts';

const content = (results: Results): Markup | undefined => {
  const { head, rows } = figureTable(results);
  return table('Figures', head, rows);
};

/** Every figure that belongs to no load. */
export const figures: Section = { id: 'figures', title: 'Figures', content };
