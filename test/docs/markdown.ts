/** What a page says that can be checked: links, paths, commands, citations. Pure functions over Markdown text. */

const withoutCode = (text: string): string => text.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '');

/** The anchor that GitHub makes of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

/** The anchors of a page's headings. */
export const headingsOf = (text: string): readonly string[] =>
  [...text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/^#{1,6} (.+)$/gm)].map((found) => anchorOf(found[1] ?? ''));

/** The relative links of a page that lead nowhere. `look` resolves a file to its headings, undefined when it is missing. */
export const brokenLinks = async (
  text: string,
  look: (target: string) => Promise<readonly string[] | undefined>,
): Promise<readonly string[]> => {
  const links = [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].map((found) => found[1] ?? '');
  const broken: string[] = [];
  for (const link of links.filter((target) => !/^[a-z]+:/.test(target))) {
    const [target = '', anchor] = link.split('#');
    const headings = await look(target);
    if (headings === undefined || (anchor !== undefined && !headings.includes(anchor))) broken.push(link);
  }
  return broken;
};

const rooms = 'lab|worker|scenarios|scripts|test|fixtures|buildroot|qemu|bench|docs|reports|\\.ci|\\.github';

/** The paths of this repository that stand between backticks, without those that have a placeholder or a glob. */
export const pathsIn = (text: string): readonly string[] =>
  [...text.matchAll(new RegExp(`\`((?:${rooms})/[^\`\\s]*)\``, 'g'))]
    .map((found) => found[1] ?? '')
    .filter((path) => !/[*{}<>…$|]|[A-Z]{3,}/.test(path) && !/^reports\/(?!schema)/.test(path));

/** The npm scripts that a page names, with the lab's command where it names one. */
export const commandsIn = (
  text: string,
): readonly { readonly script: string; readonly command: string | undefined }[] =>
  [...text.matchAll(/npm run (?:-s )?([a-z:-]+)(?: -- ([a-z]+))?/g)].map((found) => ({
    script: found[1] ?? '',
    command: found[2],
  }));

/** What a text cites of the contract: sections ("5") and sentences ("5.3"). */
export const citationsIn = (text: string): readonly string[] =>
  [...text.matchAll(/contract,? (?:sections? )?(\d+(?:\.\d+)?[a-z]?)(?: (?:and|to) (\d+))?/g)].flatMap((found) =>
    [found[1], found[2]].filter((cited) => cited !== undefined),
  );

/** The first cells of the table rows below a heading. */
export const rowsBelow = (text: string, heading: string): readonly string[] =>
  (text.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '')
    .split('\n')
    .filter((line) => /^\| (?!---)/.test(line))
    .slice(1)
    .map((line) => line.split('|')[1]?.trim() ?? '');
