import { isDeepStrictEqual } from 'node:util';
import type { Expectation } from '../../report/model/results.ts';
import { bytesInWords } from '../../report/model/text.ts';

/** What a step expects. Nothing throws here: a step goes on and is judged as a whole at its end. */
export type Expect = {
  /** `actual` has to be deeply equal to `expected`; buffers are compared as bytes. */
  readonly equal: (name: string, actual: unknown, expected: unknown) => void;
  /** `actual` has to match. */
  readonly match: (name: string, actual: string, pattern: RegExp) => void;
  /** `holds` has to be true; `actual` says what was seen instead. */
  readonly ok: (name: string, holds: boolean, actual?: string) => void;
};

const shown = (value: unknown): string => {
  if (value instanceof Uint8Array) return bytesInWords(value);
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
};

/** Two values for a person: in quotes when they differ only in blanks or ends of lines at their ends. */
const shownBoth = (actual: unknown, expected: unknown): readonly [string, string] => {
  const [one, other] = [shown(actual), shown(expected)];
  const isAtEnd = one !== other && one.trimEnd() === other.trimEnd();
  return isAtEnd ? [JSON.stringify(one), JSON.stringify(other)] : [one, other];
};

const short = (text: string): string => (text.length > 2000 ? `${text.slice(0, 2000)}…` : text);

/** An {@link Expect} that hands every judged expectation to `judged`. */
export const createExpect = (judged: (expectation: Expectation) => void): Expect => {
  const judge = (name: string, holds: boolean, expected: string, actual: string) =>
    judged({
      name,
      verdict: holds ? 'passed' : 'failed',
      expected: short(expected),
      ...(holds ? {} : { actual: short(actual) }),
    });
  return {
    equal: (name, actual, expected) => {
      const [shownActual, shownExpected] = shownBoth(actual, expected);
      judge(name, isDeepStrictEqual(actual, expected), shownExpected, shownActual);
    },
    match: (name, actual, pattern) => judge(name, pattern.test(actual), String(pattern), actual),
    ok: (name, holds, actual = String(holds)) => judge(name, holds, 'true', actual),
  };
};
