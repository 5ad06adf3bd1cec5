import path from 'node:path';
import { LabError, messageOf } from '../system/errors.ts';
import { systemFault } from '../system/system-errors.ts';

const reporting =
  'This is a fault of the lab itself. Please report it, with all of the text above, to the people whose repository\n' +
  'this lab was cloned from (git remote -v).';

/**
 * What a person is told of an error: what went wrong and what to do next. Only an error of a kind that nobody thought of
 * has a stack trace, and says where to report it.
 */
export const describeTrouble = (error: unknown): string => {
  const known = error instanceof LabError ? error : systemFault(error);
  if (known) return `${messageOf(known).trimEnd()}\n${known.next.map((step) => `  ${step}\n`).join('')}`;
  const stack = error instanceof Error ? `${error.stack ?? ''}\n` : '';
  return `${messageOf(error)}\n${stack}${reporting}\n`;
};

/**
 * Writes a report and resolves with true. When that is not possible the reason is said on stderr, and the verdict of
 * what has run stands all the same.
 */
export const leaveReport = async (folder: string, write: () => Promise<void>): Promise<boolean> => {
  try {
    await write();
    return true;
  } catch (error) {
    process.stderr.write(`\nthe report could not be written to ${path.resolve(folder)}: ${describeTrouble(error)}`);
    return false;
  }
};
