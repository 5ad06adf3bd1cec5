import { plain } from '../formats/wording.ts';

/** HTML or SVG text that is safe to put into a document as it is. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** What a template takes: text is escaped, markup is not, nothing is left out, lists are joined. */
export type Part = Markup | string | number | undefined | readonly Part[];

const escaped = (text: string): string =>
  plain(text.toWellFormed()).replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);

const render = (part: Part): string => {
  if (part === undefined) return '';
  if (part instanceof Markup) return part.text;
  if (typeof part === 'object') return part.map(render).join('');
  return escaped(String(part));
};

/** A template of HTML or SVG whose values are escaped. */
export const html = (strings: TemplateStringsArray, ...parts: readonly Part[]): Markup =>
  new Markup(strings.map((text, i) => text + render(parts[i])).join(''));
