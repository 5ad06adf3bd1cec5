import { Transform, type TransformCallback } from 'node:stream';

const publishType = 3;

/** A broker speaks no MQTT. The code lets the client's own error handling see it. */
class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code = 'EPROTO';
}

/**
 * Lets MQTT packets through (MQTT 3.1.1, 2.2: one byte of type, one to four of length, then the rest) and leaves out
 * published messages that are longer than `most` bytes, before they are in memory. Any other packet of that length
 * ends the stream with an error.
 */
export class PacketLimit extends Transform {
  readonly #most: number;
  readonly #leftOut: (bytes: number) => void;
  #header: number[] = [];
  #rest = 0;
  #passes = true;

  constructor(most: number, leftOut: (bytes: number) => void) {
    super();
    this.#most = most;
    this.#leftOut = leftOut;
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
    if (this.#passes) this.push(part);
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
    this.#passes = this.#rest <= this.#most;
    if (this.#passes) this.push(Buffer.from(this.#header));
    else if (first >> 4 === publishType) this.#leftOut(this.#rest);
    else throw new ProtocolError(`the broker sent a control packet of ${this.#rest} bytes`);
    this.#header = [];
    return 1;
  }
}
