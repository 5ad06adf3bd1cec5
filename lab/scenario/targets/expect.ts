import { isDeepStrictEqual } from 'node:util';
import type { Expectation } from '../../report/model/results.ts';

/** What a step expects. Nothing throws here: a step goes on and is judged as a whole at its end. */
export type Expect = {
  /** `came` has to be deeply equal to `expected`. */
  readonly equal: (what: string, came: unknown, expected: unknown) => void;
  /** `came` has to match. */
  readonly match: (what: string, came: string, pattern: RegExp) => void;
  /** `holds` has to be true; `came` says what was seen instead. */
  readonly ok: (what: string, holds: boolean, came?: string) => void;
};

const shown = (value: unknown): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));

const short = (text: string): string => (text.length > 2000 ? `${text.slice(0, 2000)}…` : text);

/** An {@link Expect} that hands every judged expectation to `judged`. */
export const expecting = (judged: (expectation: Expectation) => void): Expect => {
  const judge = (what: string, holds: boolean, expected: string, came: string) =>
    judged({
      what,
      verdict: holds ? 'passed' : 'failed',
      expected: short(expected),
      ...(holds ? {} : { came: short(came) }),
    });
  return {
    equal: (what, came, expected) => judge(what, isDeepStrictEqual(came, expected), shown(expected), shown(came)),
    match: (what, came, pattern) => judge(what, pattern.test(came), String(pattern), came),
    ok: (what, holds, came = String(holds)) => judge(what, holds, 'true', came),
  };
};
