import type { TableResult } from '../../worker/contract/net-mqtt.ts';

/** How answers to table queries go wrong. */
export type TableFault =
  /** They come as they should. */
  | { readonly kind: 'none' }
  /** They never come. */
  | { readonly kind: 'missing' }
  | { readonly kind: 'late'; readonly ms: number }
  /** Each comes twice. */
  | { readonly kind: 'duplicate' }
  /** Every other one comes after the one that was asked for later. */
  | { readonly kind: 'reordered' }
  /** Something else comes in their place. */
  | { readonly kind: 'wrong'; readonly change: (answer: TableResult) => unknown };

/** Sends a cluster's answers to table queries, rightly or with a fault. */
export class TableAnswers {
  readonly #send: (topic: string, payload: unknown) => void;
  #fault: TableFault = { kind: 'none' };
  #held: (() => void) | undefined;

  constructor(send: (topic: string, payload: unknown) => void) {
    this.#send = send;
  }

  /** What goes wrong from now on; what was held back for the fault of before is sent. */
  set fault(fault: TableFault) {
    this.#fault = fault;
    this.#release();
  }

  send(topic: string, answer: TableResult): void {
    const send = (payload: unknown = answer) => this.#send(topic, payload);
    const fault = this.#fault;
    switch (fault.kind) {
      case 'none':
        send();
        return;
      case 'missing':
        return;
      case 'late':
        setTimeout(send, fault.ms).unref();
        return;
      case 'duplicate':
        send();
        send();
        return;
      case 'reordered':
        if (this.#held === undefined) this.#held = send;
        else {
          send();
          this.#release();
        }
        return;
      case 'wrong':
        send(fault.change(answer));
    }
  }

  #release(): void {
    const held = this.#held;
    this.#held = undefined;
    held?.();
  }
}
