import type { Case } from './tap-summary.ts';

/** The most files that are run again: when more of them fail, that is not for want of luck. */
const maxRerunFiles = 3;

/** The test files to run a second time: those that failed, if they are few. The checks of the code are no files. */
export const selectReruns = (cases: readonly Case[]): readonly string[] => {
  const failed = cases.filter(({ state }) => state === 'fail').map(({ file }) => file);
  const files = [...new Set(failed)];
  return files.length > maxRerunFiles || files.some((file) => !file.endsWith('.test.ts')) ? [] : files;
};

/**
 * What counts after the second run: its results in place of the first ones of the same files. `unsteady` are the
 * failures of the first run whose file passed in the second one.
 */
export const mergeReruns = (
  first: readonly Case[],
  second: readonly Case[],
): { readonly cases: readonly Case[]; readonly unsteady: readonly Case[] } => {
  const passes = new Set(second.filter(({ state }) => state === 'pass').map(({ file }) => file));
  const fails = new Set(second.filter(({ state }) => state === 'fail').map(({ file }) => file));
  const isSteady = (file: string) => passes.has(file) && !fails.has(file);
  return {
    cases: [...first.filter(({ file }) => !isSteady(file)), ...second.filter(({ file }) => isSteady(file))],
    unsteady: first.filter(({ file, state }) => state === 'fail' && isSteady(file)),
  };
};
