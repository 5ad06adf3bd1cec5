/** Lets any number of readers work at the same time, or one writer alone. Who comes after a writer waits for it. */
export class ReadWriteLock {
  readonly #readers = new Set<Promise<unknown>>();
  #lastWriter: Promise<unknown> = Promise.resolve();

  /** Works while nobody else does, once all who came before have ended. Rejects as `work` does. */
  withWriteLock<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#lastWriter.then(() => Promise.allSettled(this.#readers)).then(work);
    this.#lastWriter = turn.catch(() => undefined);
    return turn;
  }

  /** Works beside other readers, once every writer has ended. Rejects as `work` does. */
  async withReadLock<T>(work: () => Promise<T>): Promise<T> {
    for (let seen: unknown; seen !== this.#lastWriter; await seen) seen = this.#lastWriter;
    const working = work();
    this.#readers.add(working);
    return working.finally(() => this.#readers.delete(working));
  }
}
