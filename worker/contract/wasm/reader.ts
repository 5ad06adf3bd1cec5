/** A binary that cannot be run here. `reason` completes "it cannot be used: …". */
export class UnusableBinary extends Error {
  override readonly name: string = 'UnusableBinary';
  readonly reason: string;
  constructor(message: string, reason: string) {
    super(message);
    this.reason = reason;
  }
}

/** Bytes that are no WebAssembly binary. */
export class NotWebAssembly extends UnusableBinary {
  override readonly name = 'NotWebAssembly';
  constructor(reason: string) {
    super(`not a WebAssembly binary: ${reason}`, reason);
  }
}

/** A WebAssembly binary that is larger in some respect than anything that is read here. */
export class LimitExceeded extends UnusableBinary {
  override readonly name = 'LimitExceeded';
  constructor(reason: string) {
    super(`a WebAssembly binary beyond what is read: ${reason}`, reason);
  }
}

/** A form that came after this was written: nothing is known of what follows it in its section, valid as it may be. */
export class UnknownForm extends Error {
  override readonly name = 'UnknownForm';
}

/** What engines agreed to read at most (WebAssembly JavaScript interface, "Implementation-defined limits"). */
const most = { items: 1_000_000, textBytes: 100_000 } as const;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A bounded view on a file; every read past its end is a {@link NotWebAssembly}. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  byte(): number {
    const value = this.#at < this.#end ? this.#bytes[this.#at] : undefined;
    if (value === undefined) throw new NotWebAssembly(`truncated at byte ${this.#at}`);
    this.#at += 1;
    return value;
  }

  /** An unsigned LEB128 number of up to `bits` bits; only as exact as a double, which any index or size is. */
  unsigned(bits: 32 | 64 = 32): number {
    let value = 0;
    for (let shift = 0; shift < bits; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new NotWebAssembly(`a number before byte ${this.#at} is too long`);
  }

  /** The next `size` bytes as a reader of their own. */
  part(size: number, what: string): Reader {
    const start = this.#at;
    if (size > this.#end - start)
      throw new NotWebAssembly(`truncated: ${what} of ${size} bytes at byte ${start}, ${this.#end - start} are left`);
    this.#at = start + size;
    return new Reader(this.#bytes, start, this.#at);
  }

  /** A name, with its length before it. */
  text(): string {
    const part = this.#textPart();
    try {
      return utf8.decode(this.#bytes.subarray(part.#at, part.#end));
    } catch {
      throw new NotWebAssembly(`the name at byte ${part.#at} is not UTF-8`);
    }
  }

  skipText(): void {
    this.#textPart();
  }

  #textPart(): Reader {
    const size = this.unsigned();
    if (size > most.textBytes)
      throw new LimitExceeded(`a name of ${size} bytes; engines read at most ${most.textBytes}`);
    return this.part(size, 'a name');
  }

  /** Reads a vector: its length, and `item` as often. */
  each(what: string, item: () => void): void {
    const count = this.unsigned();
    if (count > most.items) throw new LimitExceeded(`${count} ${what}; engines read at most ${most.items}`);
    for (let left = count; left > 0; left -= 1) item();
  }
}

/** Says that the byte `value` stands where nothing known begins with it. Never returns. */
export const unknownForm = (what: string, value: number): never => {
  throw new UnknownForm(`${what} 0x${value.toString(16).padStart(2, '0')}`);
};
