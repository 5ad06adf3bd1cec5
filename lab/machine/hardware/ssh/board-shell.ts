import path from 'node:path';
import { labFault } from '../../../system/errors.ts';
import type { ExecResult, Finished, ProgramInput } from '../../../system/process.ts';
import { type RunFolder, runMark } from '../../../system/runs.ts';
import type { ExecOptions } from '../../machine.ts';
import type { Connection } from './connection.ts';
import { type Frame, frame } from './frame.ts';

/** How a program runs on the board, and what it reads. */
export type ShellOptions = Omit<ExecOptions, 'stdin'> & { readonly stdin?: ProgramInput | undefined };

const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const commandMark = 'OAKESTRA_LAB_COMMAND';
const killMs = 10_000;

/** Ends every process whose environment has the line `$1`. */
const killScript = `for file in /proc/[0-9]*/environ; do
	if grep -qzx "$1" "$file" 2>/dev/null; then pid=\${file#/proc/}; kill -KILL "\${pid%/environ}" 2>/dev/null; fi
done; true`;

// under another name first: whoever reads the file meanwhile finds the old one or the new one
const writeScript = 'mkdir -p "$1" && cat >"$2.lab-new" && chmod "$3" "$2.lab-new" && mv -f "$2.lab-new" "$2"';

/**
 * Programs and files on a board at the end of a connection. `enter` are words before every program: those that make it
 * run in namespaces.
 */
export class BoardShell {
  readonly #connection: Connection;
  readonly #run: RunFolder;
  readonly #enter: readonly string[];
  #commands = 0;

  constructor(connection: Connection, run: RunFolder, enter: readonly string[] = []) {
    this.#connection = connection;
    this.#run = run;
    this.#enter = enter;
  }

  /** The same board in other namespaces. */
  inside(enter: readonly string[]): BoardShell {
    return new BoardShell(this.#connection, this.#run, enter);
  }

  /** A framed program; what runs by it can be told from anybody else's by its environment. */
  frame(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Frame {
    return this.#frame(argv, { ...env, [runMark]: this.#run.id });
  }

  /** Runs a program to its end; an abort ends it and all that it started. */
  async exec(argv: readonly string[], options: ShellOptions = {}): Promise<ExecResult> {
    const { code, stdout, stderr } = await this.#finish(argv, options);
    return { code, stdout: stdout.toString(options.encoding ?? 'utf8'), stderr: stderr.toString('utf8') };
  }

  /** What a script prints. Throws a lab fault with `what` and the script's own words when it fails. */
  async script(what: string, text: string, words: readonly string[] = [], options: ShellOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.exec(['sh', '-c', text, 'sh', ...words], options);
    if (code !== 0) throw labFault(`${what}: ${(stderr || stdout).trim() || `ended with ${code}`}`);
    return stdout;
  }

  async writeFile(file: string, content: string | Uint8Array, mode: number): Promise<void> {
    const words = [path.posix.dirname(file), file, mode.toString(8)];
    const { code, stderr } = await this.#finish(['sh', '-c', writeScript, 'sh', ...words], { stdin: content }, true);
    if (code !== 0) throw labFault(`cannot write ${file} on the board: ${stderr.toString().trim()}`);
  }

  async readFile(file: string): Promise<Buffer> {
    const { code, stdout, stderr } = await this.#finish(['cat', file], {}, true);
    if (code !== 0) throw new Error(`cannot read ${file} on the board: ${stderr.toString().trim()}`);
    return stdout;
  }

  async #finish(argv: readonly string[], options: ShellOptions, mayRepeat = false): Promise<Finished> {
    const mark = `${this.#run.id}-${++this.#commands}`;
    const framed = this.frame(argv, { ...options.env, [commandMark]: mark });
    try {
      return await this.#connection.run(framed, { stdin: options.stdin, signal: options.signal, mayRepeat });
    } catch (error) {
      if (options.signal?.aborted && !this.#connection.lost.aborted)
        await this.#kill(`${commandMark}=${mark}`).catch(() => {});
      throw error;
    }
  }

  async #kill(entry: string): Promise<void> {
    // without a mark of its own: it must not end itself
    const framed = this.#frame(['sh', '-c', killScript, 'sh', entry], {});
    await this.#connection.run(framed, { signal: AbortSignal.timeout(killMs) });
  }

  #frame(argv: readonly string[], env: Readonly<Record<string, string>>): Frame {
    const variables = { PATH: searchPath, HOME: '/root', ...env };
    return frame([...this.#enter, ...argv], variables, this.#connection.privilege);
  }
}
