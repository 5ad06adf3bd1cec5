import { isDeepStrictEqual } from 'node:util';
import type { Expectation } from '../../report/model/results.ts';

/** What a step expects. Nothing throws here: a step goes on and is judged as a whole at its end. */
export type Expect = {
  /** `actual` has to be deeply equal to `expected`. */
  readonly equal: (name: string, actual: unknown, expected: unknown) => void;
  /** `actual` has to match. */
  readonly match: (name: string, actual: string, pattern: RegExp) => void;
  /** `holds` has to be true; `actual` says what was seen instead. */
  readonly ok: (name: string, holds: boolean, actual?: string) => void;
};

const shown = (value: unknown): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));

const short = (text: string): string => (text.length > 2000 ? `${text.slice(0, 2000)}…` : text);

/** An {@link Expect} that hands every judged expectation to `judged`. */
export const expecting = (judged: (expectation: Expectation) => void): Expect => {
  const judge = (name: string, holds: boolean, expected: string, actual: string) =>
    judged({
      name,
      verdict: holds ? 'passed' : 'failed',
      expected: short(expected),
      ...(holds ? {} : { actual: short(actual) }),
    });
  return {
    equal: (name, actual, expected) => judge(name, isDeepStrictEqual(actual, expected), shown(expected), shown(actual)),
    match: (name, actual, pattern) => judge(name, pattern.test(actual), String(pattern), actual),
    ok: (name, holds, actual = String(holds)) => judge(name, holds, 'true', actual),
  };
};
