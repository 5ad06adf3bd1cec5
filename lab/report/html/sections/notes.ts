import type { Results } from '../../model/results.ts';
import { html, type Markup } from '../markup.ts';
import type { Section } from '../section.ts';

const content = ({ run: { notes } }: Results): Markup | undefined =>
  notes.length > 0 ? html`<ul>${notes.map((note) => html`<li>${note}</li>`)}</ul>` : undefined;

/** What a person has to know about the run. */
export const notes: Section = { id: 'notes', title: 'Notes', content };
