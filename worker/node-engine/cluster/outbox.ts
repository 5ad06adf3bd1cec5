import { settlesWithin } from '../../system/wait.ts';

type Waiting<T> = { readonly message: T; readonly done: Promise<void>; readonly sent: () => void };

/** Messages that must arrive: each stays until it was sent, in order, over as many connections as that takes. */
export class Outbox<T> {
  readonly #waiting: Waiting<T>[] = [];
  #send: ((message: T) => Promise<unknown>) | undefined;
  #sending = false;

  /** Resolves once the message was sent. */
  put(message: T): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ message, done: promise, sent: resolve });
    void this.#flush();
    return promise;
  }

  /** Sends through `send`, beginning with what waits. A message whose `send` rejects waits for the next one. */
  attach(send: (message: T) => Promise<unknown>): void {
    this.#send = send;
    void this.#flush();
  }

  /** Resolves when nothing waits to be sent, or after `ms`. */
  async idle(ms: number): Promise<void> {
    const last = this.#waiting.at(-1);
    if (last !== undefined) await settlesWithin(last.done, ms);
  }

  detach(): void {
    this.#send = undefined;
  }

  async #flush(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    for (let next = this.#waiting[0]; next !== undefined && this.#send !== undefined; next = this.#waiting[0]) {
      const send = this.#send;
      try {
        await send(next.message);
        this.#waiting.shift();
        next.sent();
      } catch {
        if (this.#send === send) this.#send = undefined;
      }
    }
    this.#sending = false;
  }
}
