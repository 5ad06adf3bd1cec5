import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { procStat } from '../../worker/node-engine/process/proc.ts';

/** A daemon of the worker, as far as a campaign needs it. */
export type Daemon = {
  readonly start: () => Promise<void>;
  readonly pid: () => number;
  readonly log: () => string;
};

/** The longest end of a log that is shown, in characters. */
const shownLog = 6000;

/**
 * A daemon under an init that starts it again whenever it ends, except while it is held down. What it wrote is kept over
 * all its lives.
 */
export class Part {
  readonly name: string;
  /** What the daemon did that no fault explains. */
  readonly troubles: string[] = [];
  readonly #daemon: Daemon;
  #holds = 0;
  #excused = 0;
  #former = '';
  #watching: Promise<void> | undefined;

  constructor(name: string, daemon: Daemon) {
    this.name = name;
    this.#daemon = daemon;
  }

  get pid(): number {
    return this.#daemon.pid();
  }

  /** The end of what it has written. */
  log(): string {
    return `${this.#former}${this.#daemon.log()}`.slice(-shownLog);
  }

  async runs(): Promise<boolean> {
    return this.pid > 0 && (await procStat(this.pid)) !== undefined;
  }

  /** Starts it if it does not run and nothing holds it down. To be called again and again, as an init looks. */
  async look(): Promise<void> {
    this.#watching ??= this.#look().finally(() => {
      this.#watching = undefined;
    });
    await this.#watching;
  }

  async #look(): Promise<void> {
    // looked at last: it may have been held down meanwhile
    if ((await this.runs()) || this.#holds > 0) return;
    if (this.#excused === 0) this.troubles.push(`${this.name} ended by itself`);
    const before = this.#daemon.log();
    await this.#daemon.start().catch(() => undefined);
    if (!this.#daemon.log().startsWith(before)) this.#former = `${this.#former}${before}`.slice(-shownLog);
  }

  /** Sends it a signal. */
  signal(name: NodeJS.Signals): void {
    try {
      if (this.pid > 0) process.kill(this.pid, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** Ends it and keeps it down until the result is called. */
  down(name: NodeJS.Signals): () => void {
    this.#holds += 1;
    const excuse = this.excuse(this.pid);
    this.signal(name);
    return () => {
      this.#holds -= 1;
      excuse();
    };
  }

  /**
   * From now on it may end or fail to start, until it has been seen to run after the result was called: as another
   * process where process `former` has to end first.
   */
  excuse(former?: number): () => void {
    this.#excused += 1;
    return () => {
      const settle = async () => {
        while (this.pid === former || !(await this.runs())) await sleep(50, undefined, { ref: false });
        this.#excused -= 1;
      };
      void settle();
    };
  }

  /** How many descriptors it has open. */
  async descriptors(): Promise<number> {
    return (await readdir(`/proc/${this.pid}/fd`)).length;
  }
}
