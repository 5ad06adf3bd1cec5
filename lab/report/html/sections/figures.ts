import { formatMetric, otherFigures } from '../../formats/wording.ts';
import type { Results } from '../../model/results.ts';
import type { Markup } from '../markup.ts';
import type { Section } from '../section.ts';
import { table } from '../table.ts';

const figureTable = (results: Results): Markup | undefined =>
  table(
    'Figures',
    ['figure', 'dimensions', 'where', 'kind', 'value'],
    otherFigures(results).map((metric) => [
      metric.name,
      Object.values(metric.dimensions).join(', '),
      metric.where,
      metric.kind,
      formatMetric(metric),
    ]),
  );

/** Every figure that belongs to no load. */
export const figures: Section = { id: 'figures', title: 'Figures', content: figureTable };
