import { fileURLToPath } from 'node:url';
import { InvalidArgumentError } from 'commander';
import type { Verdict } from '../report/model/results.ts';
import { exitCodes } from '../system/errors.ts';

/** Where reports go unless the user names another folder. */
export const defaultReports = fileURLToPath(new URL('../../reports/', import.meta.url));

/** What main gives every command: where it is interrupted, and how it says its exit code. */
export type CommandContext = {
  readonly signal: AbortSignal;
  readonly exit: (code: number) => void;
};

/** Says the exit code of runs that came to a verdict, or that were interrupted. */
export const exitWith = ({ signal, exit }: CommandContext, verdict: Verdict): void =>
  exit(exitCodes[signal.aborted ? 'interrupted' : verdict]);

/** A parser for a whole number from `least` to `most`, for commander. */
export const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It takes a whole number from ${least} to ${most}.`);
  };

/** One JSON document on stdout, and nothing else there. */
export const printJson = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
};
