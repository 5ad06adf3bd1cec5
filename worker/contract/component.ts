/** What the binary of a WebAssembly module or component says about itself. Names as they stand in the file. */
export type ComponentInfo = {
  readonly kind: 'component' | 'module';
  /** Names that the file exports, `wasi:http/incoming-handler@0.2.0` for one. */
  readonly exports: readonly string[];
  /** Names that a component imports; for a core module the modules that it imports from, each once. */
  readonly imports: readonly string[];
};

/** Bytes that are no WebAssembly binary that could be run. `reason` completes "this is not WebAssembly: …". */
export class NotWebAssembly extends Error {
  override readonly name = 'NotWebAssembly';
  readonly reason: string;
  constructor(reason: string) {
    super(`not a WebAssembly binary: ${reason}`);
    this.reason = reason;
  }
}

/** The most that is read of a file whose sections may say anything: far more than real ones have. */
const most = { names: 10_000, nameBytes: 1000, sections: 100_000 } as const;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A bounded view on the file; every read past `end` is a {@link NotWebAssembly}. */
class Reader {
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

  text(): string {
    const size = this.unsigned();
    if (size > most.nameBytes) throw new NotWebAssembly(`a name of ${size} bytes; at most ${most.nameBytes} are read`);
    const part = this.part(size, 'a name');
    try {
      return utf8.decode(this.#bytes.subarray(part.#at, part.#end));
    } catch {
      throw new NotWebAssembly(`the name at byte ${part.#at} is not UTF-8`);
    }
  }

  /** Reads a vector, its length and then as many names, to the end of `names`. */
  appendTo(names: string[], name: (reader: Reader) => string): void {
    const count = this.unsigned();
    if (names.length + count > most.names)
      throw new NotWebAssembly(`${names.length + count} imports or exports; at most ${most.names} are read`);
    for (let left = count; left > 0; left -= 1) names.push(name(this));
  }
}

const unknown = (what: string, value: number): never => {
  throw new NotWebAssembly(`${what} 0x${value.toString(16).padStart(2, '0')} is unknown`);
};

const skipLimits = (reader: Reader): void => {
  const flags = reader.byte();
  reader.unsigned(64);
  if ((flags & 1) !== 0) reader.unsigned(64);
  if ((flags & 8) !== 0) reader.unsigned();
};

/** A value or reference type: one byte, and a heap type after the two bytes that announce one. */
const skipType = (reader: Reader): void => {
  const form = reader.byte();
  if (form === 0x63 || form === 0x64) reader.unsigned(64);
};

const moduleImport = (reader: Reader): string => {
  const from = reader.text();
  reader.text();
  const sort = reader.byte();
  if (sort === 0x00) reader.unsigned();
  else if (sort === 0x01) {
    skipType(reader);
    skipLimits(reader);
  } else if (sort === 0x02) skipLimits(reader);
  else if (sort === 0x03) {
    skipType(reader);
    reader.byte();
  } else if (sort === 0x04) {
    reader.byte();
    reader.unsigned();
  } else unknown('import kind', sort);
  return from;
};

const moduleExport = (reader: Reader): string => {
  const name = reader.text();
  reader.byte();
  reader.unsigned();
  return name;
};

const componentName = (reader: Reader): string => {
  const form = reader.byte();
  return form <= 0x01 ? reader.text() : unknown('name form', form);
};

const skipDescription = (reader: Reader): void => {
  const sort = reader.byte();
  if (sort === 0x00) reader.byte();
  if (sort === 0x02 || sort === 0x03) {
    const bound = reader.byte();
    if (sort === 0x03 && bound === 0x01) return;
  }
  if (sort > 0x05) unknown('description', sort);
  reader.unsigned(64);
};

const componentImport = (reader: Reader): string => {
  const name = componentName(reader);
  skipDescription(reader);
  return name;
};

const componentExport = (reader: Reader): string => {
  const name = componentName(reader);
  if (reader.byte() === 0x00) reader.byte();
  reader.unsigned();
  if (reader.byte() === 0x01) skipDescription(reader);
  return name;
};

type Layout = {
  readonly kind: ComponentInfo['kind'];
  readonly lastSection: number;
  readonly importSection: number;
  readonly exportSection: number;
  readonly readImport: (reader: Reader) => string;
  readonly readExport: (reader: Reader) => string;
};

const moduleLayout: Layout = {
  kind: 'module',
  lastSection: 13,
  importSection: 2,
  exportSection: 7,
  readImport: moduleImport,
  readExport: moduleExport,
};

const componentLayout: Layout = {
  kind: 'component',
  lastSection: 12,
  importSection: 10,
  exportSection: 11,
  readImport: componentImport,
  readExport: componentExport,
};

const startsWith = (bytes: Uint8Array, prefix: readonly number[]): boolean =>
  prefix.every((byte, index) => bytes[index] === byte);

const layoutOf = (bytes: Uint8Array): Layout => {
  if (bytes.length === 0) throw new NotWebAssembly('the file is empty');
  if (startsWith(bytes, [0x7f, 0x45, 0x4c, 0x46]))
    throw new NotWebAssembly('it is native code (ELF); a precompiled artifact is never accepted as a component');
  if (bytes[0] === 0x28)
    throw new NotWebAssembly("it looks like the text format; translate it with 'wasm-tools parse'");
  if (!startsWith(bytes, [0x00, 0x61, 0x73, 0x6d]))
    throw new NotWebAssembly(String.raw`it does not begin with '\0asm'`);
  if (bytes.length < 8) throw new NotWebAssembly('truncated in its first 8 bytes');
  const version = bytes.subarray(4, 8);
  if (startsWith(version, [0x01, 0x00, 0x00, 0x00])) return moduleLayout;
  if (startsWith(version, [0x0d, 0x00, 0x01, 0x00])) return componentLayout;
  throw new NotWebAssembly(
    `version ${[...version].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')} is unknown`,
  );
};

/**
 * Reads the outermost sections of a WebAssembly binary: whether it is a component or a core module, and what it
 * imports and exports. Nothing is compiled and function bodies are not looked at. Throws {@link NotWebAssembly} with a
 * reason for anything else, truncated files included.
 * Source: WebAssembly core specification, chapter 5, and Binary.md of the component model.
 */
export const inspectComponent = (bytes: Uint8Array): ComponentInfo => {
  const layout = layoutOf(bytes);
  const file = new Reader(bytes, 8, bytes.length);
  const exports: string[] = [];
  const imports: string[] = [];
  for (let sections = 1; !file.done; sections += 1) {
    if (sections > most.sections) throw new NotWebAssembly(`more than ${most.sections} sections`);
    const id = file.byte();
    if (id > layout.lastSection) unknown('section', id);
    const section = file.part(file.unsigned(), 'a section');
    if (id === layout.importSection) section.appendTo(imports, layout.readImport);
    if (id === layout.exportSection) section.appendTo(exports, layout.readExport);
  }
  return { kind: layout.kind, exports, imports: [...new Set(imports)] };
};

/**
 * What a runtime can do with a binary: `proxy` answers HTTP requests, `command` runs once, `module` is a core module
 * run as a preview 1 command; undefined when nothing is exported that a runtime could start.
 */
export const worldOf = (info: ComponentInfo): 'proxy' | 'command' | 'module' | undefined => {
  if (info.kind === 'module') return info.exports.includes('_start') ? 'module' : undefined;
  const interfaces = new Set(info.exports.map((name) => name.split('@')[0]));
  if (interfaces.has('wasi:http/incoming-handler')) return 'proxy';
  return interfaces.has('wasi:cli/run') ? 'command' : undefined;
};
