import { build, type Histogram } from 'hdr-histogram-js';

/** What every response must be; without a body any body is right. A text is compared as the bytes of its UTF-8. */
export type Expected = { readonly status: number; readonly body?: string | Uint8Array };

/** A latency histogram in whole microseconds, three significant digits, up to one hour. */
export const microseconds = (): Histogram =>
  build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 3_600_000_000,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 32,
  });

/** Records `ms`, a fraction of a millisecond kept. */
export const recordMs = (histogram: Histogram, ms: number): void =>
  histogram.recordValue(Math.max(1, Math.round(ms * 1000)));

/** What a load counted. `sent` = `responses` + `errors` + `timeouts` + `unfinished`. */
export type LoadCounts = {
  readonly sent: number;
  readonly responses: number;
  /** Responses with another status than expected. */
  readonly wrongStatus: number;
  /** Responses with another body than expected. */
  readonly wrongBody: number;
  /** Requests whose connection failed or was closed without a response. */
  readonly errors: number;
  readonly timeouts: number;
  /** Requests that were neither answered nor given up when the load ended. */
  readonly unfinished: number;
};

/** Lengths of bodies in bytes. */
export type BodySizes = { readonly least: number; readonly most: number };

/** When responses came, by the load's own clock; in a closed loop without those that came when the time was up. */
export type LoadTimes = {
  /** From the first response to the last one. */
  readonly seconds: number;
  /** Responses a second between the first and the last one; 0 when there were fewer than two. */
  readonly rate: number;
  /** Responses in each whole second since the first one. */
  readonly perSecond: readonly number[];
};

/** Counts responses as they come. */
export class Tally {
  /** Latency of every response, wrong ones included, in microseconds. */
  readonly latency = microseconds();
  sent = 0;
  errors = 0;
  timeouts = 0;
  /** When the time is up, in monotonic ms: responses after that count, but not as part of the rate. */
  end = Number.POSITIVE_INFINITY;
  readonly #status: number;
  readonly #body: string | undefined;
  readonly #perSecond: number[] = [];
  #responses = 0;
  #timed = 0;
  #wrongStatus = 0;
  #wrongBody = 0;
  #least = Number.POSITIVE_INFINITY;
  #most = 0;
  #first = 0;
  #last = 0;

  constructor(expected: Expected) {
    this.#status = expected.status;
    this.#body = expected.body === undefined ? undefined : Buffer.from(expected.body).toString('latin1');
  }

  get responses(): number {
    return this.#responses;
  }

  response(status: number, ms: number): void {
    this.#responses += 1;
    if (status !== this.#status) this.#wrongStatus += 1;
    recordMs(this.latency, ms);
    const now = performance.now();
    if (now > this.end) return;
    if (this.#timed === 0) this.#first = now;
    this.#last = now;
    this.#timed += 1;
    const second = Math.floor((now - this.#first) / 1000);
    while (this.#perSecond.length <= second) this.#perSecond.push(0);
    this.#perSecond[second] = (this.#perSecond[second] ?? 0) + 1;
  }

  /** True when `bytes`, one a character (latin1), are the expected body: a chunk may end inside a letter. */
  body(bytes: string): boolean {
    const right = this.#body === undefined || bytes === this.#body;
    if (!right) this.#wrongBody += 1;
    this.#least = Math.min(this.#least, bytes.length);
    this.#most = Math.max(this.#most, bytes.length);
    return right;
  }

  counts(): LoadCounts {
    const { sent, errors, timeouts } = this;
    return {
      sent,
      responses: this.#responses,
      wrongStatus: this.#wrongStatus,
      wrongBody: this.#wrongBody,
      errors,
      timeouts,
      unfinished: sent - this.#responses - errors - timeouts,
    };
  }

  /** The shortest and the longest body in bytes; undefined when none came. */
  bodies(): BodySizes | undefined {
    return this.#most < this.#least ? undefined : { least: this.#least, most: this.#most };
  }

  times(): LoadTimes {
    const seconds = (this.#last - this.#first) / 1000;
    return {
      seconds,
      rate: seconds > 0 ? (this.#timed - 1) / seconds : 0,
      perSecond: this.#perSecond.slice(0, Math.floor(seconds)),
    };
  }
}
