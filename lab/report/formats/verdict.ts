import type { Verdict } from '../model/results.ts';

/** The words that every format uses for a verdict. */
export const verdictWords: Readonly<Record<Verdict, string>> = {
  passed: 'passed',
  failed: 'failed',
  error: 'the lab failed',
  incomplete: 'incomplete',
};

/** The sign that every format uses for a verdict. */
export const verdictSigns: Readonly<Record<Verdict, string>> = {
  passed: '✓',
  failed: '✗',
  error: '!',
  incomplete: '?',
};

/** The sign of what is no fault, and still worth a look. */
export const remarkSign = '!';

/** The colour of a verdict, as chalk names it. */
export const verdictColours = { passed: 'green', failed: 'red', error: 'magenta', incomplete: 'yellow' } as const;
