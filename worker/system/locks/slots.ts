/** A place among a few: it is free again when it is disposed of. `index` counts from 0 and is nobody else's meanwhile. */
type Slot = Disposable & { readonly index: number };

/** Lets at most `count` tasks work at once; the others wait in the order in which they came. */
export class Slots {
  readonly #free: number[];
  readonly #waiting: ((index: number) => void)[] = [];

  constructor(count: number) {
    this.#free = Array.from({ length: count }, (_, index) => index);
  }

  /** Resolves as soon as there is a place. Rejects with the signal's reason when it aborts before. */
  async take(signal: AbortSignal): Promise<Slot> {
    signal.throwIfAborted();
    const index = this.#free.shift() ?? (await this.#wait(signal));
    let held = true;
    return {
      index,
      [Symbol.dispose]: () => {
        if (held) this.#giveBack(index);
        held = false;
      },
    };
  }

  async #wait(signal: AbortSignal): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const giveUp = () => {
      this.#waiting.splice(this.#waiting.indexOf(resolve), 1);
      reject(signal.reason);
    };
    this.#waiting.push(resolve);
    signal.addEventListener('abort', giveUp, { once: true });
    const index = await promise;
    signal.removeEventListener('abort', giveUp);
    return index;
  }

  #giveBack(index: number): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.unshift(index);
    else next(index);
  }
}
