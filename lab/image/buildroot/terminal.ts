import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';

/** Joins the user's terminal to a program's until the program ends; `resize` is told how large the user's is. */
export const attachTerminal = async (
  program: Duplex,
  resize: (rows: number, columns: number) => Promise<unknown>,
  signal: AbortSignal,
): Promise<void> => {
  const { stdin, stdout } = process;
  const follow = () => {
    if (stdout.isTTY) resize(stdout.rows, stdout.columns).catch(() => undefined);
  };
  stdin.setRawMode?.(true);
  stdin.pipe(program);
  program.pipe(stdout, { end: false });
  stdout.on('resize', follow);
  follow();
  try {
    await finished(program, { signal, writable: false });
  } finally {
    stdout.off('resize', follow);
    stdin.unpipe(program);
    stdin.setRawMode?.(false);
    stdin.pause();
    program.destroy();
  }
};
