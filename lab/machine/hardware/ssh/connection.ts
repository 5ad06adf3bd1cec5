import { setTimeout as pause } from 'node:timers/promises';
import limit from 'p-limit';
import { labFault, messageOf } from '../../../system/errors.ts';
import { type Finished, type ProgramInput, runProgram } from '../../../system/process.ts';
import type { RunFolder } from '../../../system/runs.ts';
import { abortable, deadline, extendableDeadline, until } from '../../../system/wait.ts';
import type { HardwareDefinition } from '../definition.ts';
import { type Frame, type Framed, frame, unframe } from './frame.ts';
import { controlPath, type Master, sshEnvironment, startMaster } from './master.ts';
import { endOldSessions } from './old-sessions.ts';
import {
  forwardingRemedy,
  hasNotStarted,
  isSessionRefused,
  NoConnection,
  notRun,
  sessionsRemedy,
  sharedArguments,
} from './ssh.ts';

/** sshd takes ten sessions on a connection unless told otherwise (sshd_config(5), MaxSessions), and some last. */
const sessions = 6;
const patienceMs = 60_000;
/** How long the other sessions of a run may take until one of them is free, and how often that is tried. */
const sessionMs = 600_000;
const sessionPauseMs = 200;

/** What to connect to, and how long a lost board may take to come back. */
export type ConnectionOptions = {
  readonly name: string;
  readonly definition: HardwareDefinition;
  readonly run: RunFolder;
  readonly patienceMs?: number | undefined;
};

export type LineOptions = {
  readonly stdin?: ProgramInput | undefined;
  readonly signal?: AbortSignal | undefined;
  /** It does no harm to run it twice. */
  readonly mayRepeat?: boolean;
};

/** A program of this computer that runs a command line on the board. */
export type SshProgram = {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
};

/** What a board calls the time since it was started (random(4)); empty where it does not answer. */
const bootOf = async (run: RunFolder, signal: AbortSignal): Promise<string> => {
  const { ended, stdout } = await runFramed(run, ['cat', '/proc/sys/kernel/random/boot_id'], signal);
  return ended ? stdout.toString().trim() : '';
};

/** Runs a program by a connection that has just been made. */
const runFramed = async (
  run: RunFolder,
  argv: readonly string[],
  signal: AbortSignal,
  privilege: readonly string[] = [],
): Promise<Framed> => {
  const framed = frame(argv, {}, privilege);
  const ssh = ['ssh', ...sharedArguments(controlPath(run)), '-T', 'board', framed.line];
  return unframe(framed, await runProgram(ssh, { env: sshEnvironment(run), signal }));
};

/** The words by which a user who is not root becomes it without being asked for a password (sudo(8), -n). */
const sudo = ['sudo', '-n', '--'] as const;

/**
 * What has to stand before a program so that root runs it: nothing for root, and for who cannot become root. Throws a
 * lab fault where the board runs something else than it is told.
 */
const privilegeOf = async (name: string, run: RunFolder, signal: AbortSignal): Promise<readonly string[]> => {
  const own = await runFramed(run, ['id', '-u'], signal);
  if (!own.began) throw notRun(name, own);
  if (own.stdout.toString().trim() === '0') return [];
  const other = await runFramed(run, ['id', '-u'], signal, sudo);
  return other.began && other.stdout.toString().trim() === '0' ? sudo : [];
};

/**
 * One ssh connection to a board that all commands and forwarded ports share. When it drops it is made again, with the
 * ports that were forwarded; when that does not succeed in time the board is gone.
 */
export class Connection implements AsyncDisposable {
  readonly #options: ConnectionOptions;
  readonly #lost = new AbortController();
  readonly #closing = new AbortController();
  readonly #sessions = limit(sessions);
  readonly #forwards: (readonly string[])[] = [];
  readonly #boot: string;
  #master: Promise<Master>;
  /** What stands before every program so that root runs it. */
  readonly privilege: readonly string[];

  private constructor(options: ConnectionOptions, first: Master, boot: string, privilege: readonly string[]) {
    this.#options = options;
    this.privilege = privilege;
    this.#boot = boot;
    this.#master = Promise.resolve(first);
    this.#watch(first);
  }

  /** Connects. Throws {@link NoConnection} when that is not possible. */
  static async open(options: ConnectionOptions, signal: AbortSignal): Promise<Connection> {
    const { name, definition, run } = options;
    const first = await startMaster(name, definition, run, signal);
    try {
      const privilege = await privilegeOf(name, run, signal);
      return new Connection(options, first, await bootOf(run, signal), privilege);
    } catch (error) {
      await first.end();
      throw error;
    }
  }

  /** Aborted, with the reason, when the board is lost. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Resolves when there is a connection. */
  async ready(signal?: AbortSignal): Promise<void> {
    await abortable(this.#master, this.#ends(signal));
  }

  /** What runs a command line of the board's shell in a session that lasts; it ends when the connection drops. */
  session(line: string): SshProgram {
    const { run } = this.#options;
    const args = [...sharedArguments(controlPath(run)), '-T', 'board', line];
    return { file: 'ssh', args, env: sshEnvironment(run) };
  }

  /**
   * Runs a framed program to its end. When the connection drops meanwhile nobody knows what became of it: a lab fault,
   * unless it may run once more. A board that has no session to spare is asked again when others have ended.
   */
  run(framed: Frame, options: LineOptions = {}): Promise<Finished> {
    return this.#sessions(async () => {
      const signal = this.#ends(options.signal);
      const { name } = this.#options;
      const free = extendableDeadline(sessionMs, `a free session on ${name}`, signal);
      for (;;) {
        const master = await abortable(this.#master, signal);
        const { file, args, env } = this.session(framed.line);
        const finished = unframe(framed, await runProgram([file, ...args], { env, stdin: options.stdin, signal }));
        if (finished.ended) return finished;
        const said = finished.stderr.toString().trim();
        if (!finished.began && isSessionRefused(said)) {
          await pause(sessionPauseMs, undefined, { signal: free.signal }).catch(() => {
            signal.throwIfAborted();
            throw labFault(`sshd on ${name} refuses further sessions on one connection: ${said}`, [sessionsRemedy]);
          });
          continue;
        }
        // 255 is ssh's own, unless the command was ended with it
        if (finished.code !== 255 || (await this.#tell(['check'], signal)).code === 0) {
          if (finished.began) return finished;
          throw notRun(name, finished);
        }
        if (!options.mayRepeat && !hasNotStarted(said))
          throw labFault(`the connection to ${name} dropped while a command ran${said && `: ${said}`}`);
        await abortable(master.ended, signal);
      }
    });
  }

  /** Forwards a port, `-L` or `-R` with what ssh(1) says about it, for as long as there is a connection. */
  async forward(kind: '-L' | '-R', what: string, signal?: AbortSignal): Promise<void> {
    const ends = this.#ends(signal);
    await abortable(this.#master, ends);
    const { code, stderr } = await this.#tell(['forward', kind, what], ends);
    if (code !== 0)
      throw labFault(
        `sshd on ${this.#options.name} refuses to forward ports, ssh ${kind} ${what}: ${stderr.toString().trim()}`,
        [forwardingRemedy],
      );
    this.#forwards.push([kind, what]);
  }

  /** Ends what {@link forward} has begun. */
  async cancel(kind: '-L' | '-R', what: string, signal?: AbortSignal): Promise<void> {
    const at = this.#forwards.findIndex(([of, words]) => of === kind && words === what);
    if (at < 0) return;
    this.#forwards.splice(at, 1);
    await this.#tell(['cancel', kind, what], this.#ends(signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('the connection was closed'));
    const master = await this.#master.catch(() => undefined);
    await master?.end();
  }

  #ends(signal?: AbortSignal): AbortSignal {
    return AbortSignal.any([this.lost, this.#closing.signal, ...(signal ? [signal] : [])]);
  }

  /** Tells the process that holds the connection to do something (ssh(1), -O). */
  #tell(words: readonly string[], signal: AbortSignal): Promise<Finished> {
    const { run } = this.#options;
    const argv = ['ssh', ...sharedArguments(controlPath(run)), '-O', ...words, 'board'];
    return runProgram(argv, { env: sshEnvironment(run), signal });
  }

  #watch({ ended }: Master): void {
    void ended.then(() => {
      if (this.#closing.signal.aborted) return;
      this.#master = this.#comeBack();
      this.#master.catch((error: unknown) => this.#lost.abort(error));
    });
  }

  async #comeBack(): Promise<Master> {
    const { name, definition, run, patienceMs: patience = patienceMs } = this.#options;
    const signal = deadline(patience, name, this.#closing.signal);
    const restarted = labFault(`${name} rebooted during the run`, [
      'look at its power supply, and at the console in the report',
    ]);
    let last: unknown;
    const attempt = () =>
      startMaster(name, definition, run, signal).catch((error: unknown) => {
        if (!(error instanceof NoConnection) || !error.mayPass) throw error;
        last = error;
        return undefined;
      });
    try {
      const master = await until(attempt, signal);
      const boot = await bootOf(run, signal);
      if (boot !== '' && this.#boot !== '' && boot !== this.#boot) {
        await master.end();
        throw restarted;
      }
      this.#watch(master);
      const { file, args, env } = this.session(endOldSessions(run.id, this.privilege));
      await runProgram([file, ...args], { env, signal });
      for (const words of this.#forwards)
        await until(async () => (await this.#tell(['forward', ...words], signal)).code === 0 || undefined, signal);
      return master;
    } catch (error) {
      if (error === restarted) throw error;
      throw labFault(`the connection to ${name} is lost and could not be made again: ${messageOf(last ?? error)}`, [
        'look at its power, its cable and the console in the report',
      ]);
    }
  }
}
