import { LabError } from '../system/errors.ts';

/**
 * A wait on the cluster that could not end well: it names what was awaited. The worker is to blame, unless the wait
 * was ended by an error that blames someone else.
 */
export class ClusterWaitError extends LabError {
  override readonly name = 'ClusterWaitError';
  readonly awaited: string;
  constructor(awaited: string, reason: string, cause?: unknown) {
    super(`waiting for ${awaited}: ${reason}`, { fault: cause instanceof LabError ? cause.fault : 'product', cause });
    this.awaited = awaited;
  }
}

const reasonOf = (signal: AbortSignal): string =>
  signal.reason instanceof Error ? signal.reason.message : String(signal.reason);

/** Waits on state that changes as messages arrive. Whoever changes the state calls {@link changed}. */
export class Watch {
  readonly #looks = new Set<() => void>();
  readonly #ended: AbortSignal;

  /** @param ended aborts every wait, present and future. */
  constructor(ended: AbortSignal) {
    this.#ended = ended;
  }

  changed(): void {
    for (const look of [...this.#looks]) look();
  }

  /**
   * The first value that `look` gives. `look` runs now and after every change, gives undefined for "not yet" and
   * throws to end the wait at once. Throws {@link ClusterWaitError} naming `awaited` when `signal` aborts.
   */
  async until<T>(awaited: string, look: () => T | undefined, signal: AbortSignal): Promise<T> {
    const ends = AbortSignal.any([signal, this.#ended]);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const attempt = () => {
      try {
        const value = look();
        if (value !== undefined) resolve(value);
        else if (ends.aborted) reject(new ClusterWaitError(awaited, reasonOf(ends), ends.reason));
      } catch (error) {
        reject(error);
      }
    };
    this.#looks.add(attempt);
    ends.addEventListener('abort', attempt);
    try {
      attempt();
      return await promise;
    } finally {
      this.#looks.delete(attempt);
      ends.removeEventListener('abort', attempt);
    }
  }
}
