const [quote, backslash, colon, comma] = Buffer.from('"\\:,');
const opening = new Set(Buffer.from('{['));
const closing = new Set(Buffer.from('}]'));

/** The longest name or value that is read, in bytes. */
const mostToken = 4096;

/** Finds texts and numbers at the top level of one JSON object of any length, as it comes by, in little memory. */
export class TopLevel {
  readonly #keys: readonly string[];
  readonly #values = new Map<string, string | number>();
  #depth = 0;
  #inText = false;
  #escaped = false;
  #key: unknown;
  #token: number[] = [];

  /** `keys` are the names whose values are kept. */
  constructor(keys: readonly string[]) {
    this.#keys = keys;
  }

  /** What was found, by name. */
  get values(): Readonly<Record<string, string | number>> {
    return Object.fromEntries(this.#values);
  }

  write(chunk: Buffer): void {
    for (const byte of chunk) this.#read(byte);
  }

  #read(byte: number): void {
    if (this.#inText) {
      this.#keep(byte);
      if (this.#escaped) this.#escaped = false;
      else if (byte === backslash) this.#escaped = true;
      else if (byte === quote) this.#inText = false;
      return;
    }
    if (byte === quote) this.#inText = true;
    if (opening.has(byte)) this.#depth += 1;
    else if (closing.has(byte)) {
      if (this.#depth === 1) this.#end();
      this.#depth -= 1;
    } else if (this.#depth === 1 && byte === colon) this.#key = this.#take();
    else if (this.#depth === 1 && byte === comma) this.#end();
    else this.#keep(byte);
  }

  #keep(byte: number): void {
    if (this.#depth === 1 && this.#token.length < mostToken) this.#token.push(byte);
  }

  #take(): unknown {
    const text = Buffer.from(this.#token).toString();
    this.#token = [];
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  }

  #end(): void {
    const value = this.#take();
    if (typeof this.#key === 'string' && this.#keys.includes(this.#key)) {
      if (typeof value === 'string' || typeof value === 'number') this.#values.set(this.#key, value);
      else this.#values.delete(this.#key);
    }
    this.#key = undefined;
  }
}
