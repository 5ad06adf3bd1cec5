import type { Machine } from '../../machine/machine.ts';
import type { SegmentPort } from '../../machine/segment/segment.ts';
import type { Run } from '../../report/model/results.ts';
import { type Capture, noCapture, packetCapture } from './capture.ts';

/** A booted board of a run, and what the run keeps about it. */
export class RunBoard {
  readonly machine: Machine;
  /** Which one it is, of several. */
  readonly name: string | undefined;
  /** Its place on the segment of several. */
  readonly port: SegmentPort | undefined;
  readonly capture: Capture;
  condition: Run['condition'];
  topology: Run['topology'];
  readonly #lost = new AbortController();
  #isOff = false;

  /** @param signal ends what is under way on it. */
  constructor(machine: Machine, signal: AbortSignal, name?: string, port?: SegmentPort) {
    this.machine = machine;
    this.name = name;
    this.port = port;
    this.capture =
      machine.instructions === undefined ? packetCapture(machine, AbortSignal.any([signal, machine.lost])) : noCapture;
    const tell = () => {
      if (!this.#isOff) this.#lost.abort(machine.lost.reason);
    };
    if (machine.lost.aborted) tell();
    else machine.lost.addEventListener('abort', tell, { once: true });
  }

  /** Aborted, with the reason, when the machine ends without having been switched off. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Its address on the segment of several, without the length of the prefix. */
  get address(): string | undefined {
    return this.port?.address.split('/')[0];
  }

  get isOff(): boolean {
    return this.#isOff;
  }

  /** Ends the machine as a power cut does, which is then no loss. */
  async powerOff(): Promise<void> {
    this.#isOff = true;
    await this.machine[Symbol.asyncDispose]();
  }

  /** What belongs to this board, named so that it can be told from the others'. */
  named(text: string): string {
    return this.name === undefined ? text : `${this.name}-${text}`;
  }
}
