import { randomBytes } from 'node:crypto';
import type { Finished } from '../../../system/process.ts';
import { commandLine, quote } from '../../../system/quote.ts';

/**
 * A command line for a board's login shell whose outputs can be told from whatever else comes with them: a login shell
 * prints greetings, warnings of its locale and what its start-up files say, before a program and after it.
 */
export type Frame = {
  readonly line: string;
  /** The line after which a program's output begins, on either output. */
  readonly begin: string;
  /** How the line begins that comes after its standard output; its exit code follows. */
  readonly end: string;
};

/** What came of a framed command. `began` and `ended` say whether its outputs have both of their ends. */
export type Framed = Finished & { readonly began: boolean; readonly ended: boolean };

/**
 * Frames a program. `privilege` are words before the shell that starts it, such as those of sudo, which takes the
 * environment away: so it is set by that shell, and not by `env`: busybox's own would start busybox's own programs.
 */
export const frame = (
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  privilege: readonly string[] = [],
): Frame => {
  // different each time: what a program prints may hold an earlier one
  const mark = randomBytes(12).toString('hex');
  const [begin, end] = [`lab-begin-${mark}`, `lab-end-${mark}`];
  const assigned = Object.entries(env).map(([name, value]) => `export ${name}=${quote(value)}; `);
  const script =
    `${assigned.join('')}printf "\\n%s\\n" ${begin}; printf "\\n%s\\n" ${begin} >&2; ` +
    `"$@"; code=$?; printf "\\n%s %s\\n" ${end} $code; exit $code`;
  return { line: `exec ${commandLine([...privilege, 'sh', '-c', script, 'sh', ...argv])}`, begin, end };
};

const after = (bytes: Buffer, mark: string): Buffer | undefined => {
  const line = Buffer.from(`\n${mark}\n`);
  const at = bytes.indexOf(line);
  return at < 0 ? undefined : bytes.subarray(at + line.length);
};

/** What a framed program printed and how it ended, without what came before and after. */
export const unframe = ({ begin, end }: Frame, { code, stdout, stderr }: Finished): Framed => {
  const output = after(stdout, begin);
  const words = after(stderr, begin) ?? stderr;
  if (output === undefined) return { code, stdout, stderr: words, began: false, ended: false };
  const at = output.lastIndexOf(`\n${end} `);
  if (at < 0) return { code, stdout: output, stderr: words, began: true, ended: false };
  const said = /^\d+(?=\n)/.exec(output.subarray(at + end.length + 2).toString('latin1'))?.[0];
  return {
    code: said === undefined ? code : Number(said),
    ...{ stdout: output.subarray(0, at), stderr: words, began: true, ended: said !== undefined },
  };
};
