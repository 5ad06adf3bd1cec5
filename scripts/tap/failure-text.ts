import type { Result } from 'tap-parser';

const maxLines = 60;
/** Of what a program printed, the end tells most. */
const printedLines = 25;
/** Characters of a name that are shown when it is longer than both: then it is what a program printed, as a rule. */
const shownOfName = { head: 60, tail: 1500 };

type Diagnosis = Readonly<Record<string, unknown>>;

/** What says the same as the rest of a failure, or nothing to whoever reads it. */
const leftOut: ReadonlySet<string> = new Set([
  'message',
  'at',
  'compare',
  'diff',
  'expired',
  'source',
  'stack',
  'tapCaught',
  'type',
]);

const textAt = (diagnosis: Diagnosis, key: string): string => {
  const value = diagnosis[key];
  return typeof value === 'string' ? value : '';
};

/** Where a test failed: the nearest frame in a test file, else wherever the error comes from. */
const placeOf = (diagnosis: Diagnosis): string => {
  const places = [...textAt(diagnosis, 'stack').matchAll(/(?<place>[^\s()]+:\d+:\d+)\)?$/gm)].map(
    ({ groups }) => groups?.['place'] ?? '',
  );
  const { fileName, lineNumber, columnNumber } = (diagnosis['at'] ?? {}) as Diagnosis;
  const at = fileName === undefined ? '' : `${fileName}:${lineNumber}:${columnNumber}`;
  return places.find((place) => /\.test\.ts:/.test(place)) ?? (at || (places[0] ?? ''));
};

const labelled = (label: string, lines: readonly string[]): readonly string[] =>
  lines.length === 1 ? [`${label} ${lines[0]}`] : [label, ...lines.map((line) => `  ${line}`)];

/** A unified diff as two values, or with its marks where most of both is the same. */
const differenceOf = (diff: string): readonly string[] => {
  const lines = diff
    .trimEnd()
    .split('\n')
    .filter((line) => !/^(---|\+\+\+|@@) /.test(line));
  if (diff === '') return [];
  const marked = (mark: string) => lines.filter((line) => line.startsWith(mark)).map((line) => line.slice(1));
  const [expected, actual] = [marked('-'), marked('+')];
  if (expected.length + actual.length < lines.length)
    return ['expected (-) and actual (+):', ...lines.map((line) => `  ${line}`)];
  return [...labelled('expected:', expected), ...labelled('actual:  ', actual)];
};

const isError = (value: unknown): value is Diagnosis & { readonly message: string } =>
  typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string';

const shown = (value: unknown): string => {
  if (isError(value)) return [value.message, ...restOf(value)].join('\n');
  return typeof value === 'string' ? value : JSON.stringify(value);
};

/** What else an error carries, its cause included. */
const restOf = (diagnosis: Diagnosis): readonly string[] =>
  Object.entries(diagnosis)
    .filter(([key]) => !leftOut.has(key))
    .flatMap(([key, value]) => {
      const lines = shown(value).trimEnd().split('\n');
      const isCut = /^std(?:out|err)$/.test(key) && lines.length > printedLines;
      return labelled(`${key}:`, isCut ? ['…', ...lines.slice(-printedLines)] : lines);
    });

/** A short head and a long tail of a name that is too long: of what a program printed, the end tells most. */
const shortened = (name: string): string => {
  const { head, tail } = shownOfName;
  return name.length > head + tail ? `${name.slice(0, head)} … ${name.slice(-tail)}` : name;
};

/**
 * A failed assertion for a person: what it is about and where it stands, the expected and the actual value, and what else
 * its error carries.
 */
export const failureText = ({ name, diag }: Result): string => {
  const diagnosis: Diagnosis = diag ?? {};
  const [place, type] = [placeOf(diagnosis), textAt(diagnosis, 'type')];
  const isThrown = 'tapCaught' in diagnosis;
  const title =
    name === 'timeout!' ? 'it did not end in time' : `${isThrown ? `${type || 'Error'}: ` : ''}${shortened(name)}`;
  const frames = isThrown
    ? textAt(diagnosis, 'stack')
        .trimEnd()
        .split('\n')
        .map((line) => `at ${line}`)
    : [];
  const details = [...differenceOf(textAt(diagnosis, 'diff')), ...restOf(diagnosis), ...frames];
  const cut = details.length > maxLines ? [...details.slice(0, maxLines), '… all of it is in .tap/raw.tap'] : details;
  return [`${title}${place === '' ? '' : ` (${place})`}`, ...cut.map((line) => `    ${line}`)].join('\n');
};
