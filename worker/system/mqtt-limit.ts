import { Transform, type TransformCallback } from 'node:stream';
import { TopLevel } from './top-level.ts';

const publishType = 3;

/** A broker speaks no MQTT. The code lets the client's own error handling see it. */
class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code = 'EPROTO';
}

/** Stands in a message that was shortened, with the number of bytes that it had. */
const lengthKey = 'oakestra-worker: bytes of the whole message';

/** How many bytes a message had that {@link PacketLimit} has shortened; undefined for one that is whole. */
export const shortenedFrom = (text: string): number | undefined =>
  text.includes(lengthKey) ? (JSON.parse(text) as Record<string, number>)[lengthKey] : undefined;

/** The remaining length in a packet's header (MQTT 3.1.1, 2.2.3). */
const lengthDigits = (length: number): readonly number[] =>
  length < 128 ? [length] : [(length % 128) | 0x80, ...lengthDigits(Math.floor(length / 128))];

/** A PUBLISH packet that is too long, of which topic and packet identifier are kept, and values by some names. */
class LongPublish {
  readonly #first: number;
  readonly #bytes: number;
  readonly #payload: TopLevel;
  #head: Buffer = Buffer.alloc(0);
  #headLength = 2;

  constructor(first: number, bytes: number, keys: readonly string[]) {
    this.#first = first;
    this.#bytes = bytes;
    this.#payload = new TopLevel(keys);
  }

  write(chunk: Buffer): void {
    let at = 0;
    // topic with its length in two bytes before it; after it, two bytes of packet identifier where QoS is not 0
    while (this.#head.length < this.#headLength && at < chunk.length) {
      const part = chunk.subarray(at, at + this.#headLength - this.#head.length);
      at += part.length;
      this.#head = Buffer.concat([this.#head, part]);
      if (this.#head.length === 2) this.#headLength = 2 + this.#head.readUInt16BE() + (this.#first & 0b110 ? 2 : 0);
    }
    this.#payload.write(chunk.subarray(at));
  }

  /** The packet that comes in its place. */
  end(): Buffer {
    if (this.#head.length < this.#headLength) throw new ProtocolError('the broker sent a packet without its topic');
    const payload = Buffer.from(JSON.stringify({ ...this.#payload.values, [lengthKey]: this.#bytes }));
    const header = Buffer.from([this.#first, ...lengthDigits(this.#head.length + payload.length)]);
    return Buffer.concat([header, this.#head, payload]);
  }
}

/**
 * Lets MQTT packets through (MQTT 3.1.1, 2.2: one byte of type, one to four of length, then the rest). A published
 * message that is longer than `most` bytes is never in memory: in its place comes one that has nothing but the texts and
 * numbers of `keys` in the JSON object that it was ({@link shortenedFrom}), so it is acknowledged and can be answered. Any
 * other packet of that length ends the stream with an error.
 */
export class PacketLimit extends Transform {
  readonly #most: number;
  readonly #shortened: (bytes: number) => void;
  readonly #keys: readonly string[];
  #header: number[] = [];
  #rest = 0;
  #long: LongPublish | undefined;

  /** `shortened` is told the size of messages that were too long. */
  constructor(most: number, shortened: (bytes: number) => void, keys: readonly string[] = []) {
    super();
    this.#most = most;
    this.#shortened = shortened;
    this.#keys = keys;
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    try {
      for (let at = 0; at < chunk.length; )
        at += this.#rest > 0 ? this.#body(chunk.subarray(at)) : this.#byte(chunk, at);
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  #body(chunk: Buffer): number {
    const part = chunk.subarray(0, this.#rest);
    this.#rest -= part.length;
    if (this.#long === undefined) this.push(part);
    else {
      this.#long.write(part);
      if (this.#rest === 0) this.push(this.#long.end());
    }
    return part.length;
  }

  #byte(chunk: Buffer, at: number): 1 {
    const byte = chunk[at] ?? 0;
    this.#header.push(byte);
    const [first = 0, ...length] = this.#header;
    if (length.length === 0) return 1;
    if (byte >= 0x80) {
      if (length.length === 4)
        throw new ProtocolError('what the broker sends is no MQTT: a length of more than 4 bytes');
      return 1;
    }
    this.#rest = length.reduceRight((value, digit) => value * 128 + (digit & 0x7f), 0);
    this.#long = undefined;
    if (this.#rest <= this.#most) this.push(Buffer.from(this.#header));
    else if (first >> 4 === publishType) {
      this.#long = new LongPublish(first, this.#rest, this.#keys);
      this.#shortened(this.#rest);
    } else throw new ProtocolError(`the broker sent a control packet of ${this.#rest} bytes`);
    this.#header = [];
    return 1;
  }
}
