import { placeOf } from '../../report/model/text.ts';
import type { LabEvent } from '../targets/events.ts';

const indented = (text: string): string =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');

/** Every command that the steps typed, with its place, what it printed and how it ended. */
export const transcript = (events: readonly LabEvent[]): string =>
  events
    .flatMap((event) => {
      if (event.kind === 'step-started') return [`\n# ${event.step}\n`];
      if (event.kind !== 'command') return [];
      const { command, code, output } = event.typed;
      const ended = code === 0 ? '' : `    (ended with ${code})\n`;
      return [`${placeOf(event)}$ ${command}\n${output.trim() === '' ? '' : `${indented(output)}\n`}${ended}`];
    })
    .join('')
    .trimStart();
