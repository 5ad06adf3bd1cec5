import { type Needs, readAlias, readDescription, readName, readType, skipExported } from './wasm/component-types.ts';
import { moduleSections, readModuleExport, readModuleImport } from './wasm/module.ts';
import { NotWebAssembly, Reader, UnknownForm } from './wasm/reader.ts';

export { LimitExceeded, NotWebAssembly, UnusableBinary } from './wasm/reader.ts';

/** What the binary of a WebAssembly module or component says about itself. */
export type ComponentInfo = {
  readonly kind: 'component' | 'module';
  /**
   * Names that the file exports, `wasi:http/incoming-handler@0.2.0` for one: all that a runtime starts, and of others
   * the first {@link maxNames}, each to {@link maxCharacters} characters.
   */
  readonly exports: readonly string[];
  /** Names that a component imports; for a core module the modules that it imports from. Each once, bounded alike. */
  readonly imports: readonly string[];
  /** Those of the imports that are known to need somebody who provides them: not those that hold only types. */
  readonly needs: readonly string[];
};

const maxNames = 1000;
const maxCharacters = 200;

/** Names that decide how a binary is run: they are kept however many others there are. */
const decides = (name: string): boolean => name === '_start' || name.startsWith('wasi');

const keep = (names: Set<string>, name: string): void => {
  if (names.size < maxNames || decides(name)) names.add(name.slice(0, maxCharacters));
};

/** Collects what one section after the other says. */
type Collector = {
  /** Reads a section when it says something of imports and exports. */
  readonly section: (id: number, content: Reader) => void;
  readonly info: () => ComponentInfo;
};

/** A form that is newer than this reader ends its section: what was read before it counts. */
const asFarAsKnown = (read: () => void, unknown: () => void = () => undefined): void => {
  try {
    read();
  } catch (error) {
    if (!(error instanceof UnknownForm)) throw error;
    unknown();
  }
};

const collectModule = (): Collector => {
  const exports = new Set<string>();
  const imports = new Set<string>();
  return {
    section: (id, content) => {
      if (id === moduleSections.import)
        asFarAsKnown(() => content.each('imports', () => readModuleImport(content, (name) => keep(imports, name))));
      if (id === moduleSections.export)
        content.each('exports', () => readModuleExport(content, (name) => keep(exports, name)));
    },
    info: () => ({ kind: 'module', exports: [...exports], imports: [...imports], needs: [...imports] }),
  };
};

/** The sections of a component that are read (component model, Binary.md). */
const componentSections = { alias: 6, type: 7, import: 10, export: 11 } as const;
const sorts = { type: 0x03, instance: 0x05 } as const;

const collectComponent = (): Collector => {
  const exports = new Set<string>();
  const imports = new Set<string>();
  const needs = new Set<string>();
  /** The index space of types; undefined once something was met that may have added to it. */
  let types: Needs[] | undefined = [];
  const lost = (): void => {
    types = undefined;
  };
  const readImport = (content: Reader): void => {
    const name = readName(content);
    keep(imports, name);
    const { sort, type, alias } = readDescription(content);
    const needed = sort === sorts.instance ? types?.[type ?? -1] : !alias;
    if (needed) keep(needs, name);
    if (sort === sorts.type) types?.push(undefined);
  };
  const readExport = (content: Reader): void => {
    keep(exports, readName(content));
    if (skipExported(content) === sorts.type) types?.push(undefined);
  };
  const readers: Readonly<Record<number, (content: Reader) => void>> = {
    [componentSections.type]: (content) => types?.push(readType(content)),
    [componentSections.alias]: (content) => {
      if (readAlias(content) === sorts.type) types?.push(undefined);
    },
    [componentSections.import]: readImport,
    [componentSections.export]: readExport,
  };
  return {
    section: (id, content) => {
      const read = readers[id];
      if (read !== undefined) asFarAsKnown(() => content.each('items', () => read(content)), lost);
    },
    info: () => ({ kind: 'component', exports: [...exports], imports: [...imports], needs: [...needs] }),
  };
};

const startsWith = (bytes: Uint8Array, prefix: readonly number[]): boolean =>
  prefix.every((byte, index) => bytes[index] === byte);

const collectorFor = (bytes: Uint8Array): Collector => {
  if (bytes.length === 0) throw new NotWebAssembly('the file is empty');
  if (startsWith(bytes, [0x7f, 0x45, 0x4c, 0x46]))
    throw new NotWebAssembly('it is native code (ELF); a precompiled artifact is never accepted as a component');
  if (bytes[0] === 0x28)
    throw new NotWebAssembly("it looks like the text format; translate it with 'wasm-tools parse'");
  if (!startsWith(bytes, [0x00, 0x61, 0x73, 0x6d]))
    throw new NotWebAssembly(String.raw`it does not begin with '\0asm'`);
  if (bytes.length < 8) throw new NotWebAssembly('truncated in its first 8 bytes');
  const version = bytes.subarray(4, 8);
  if (startsWith(version, [0x01, 0x00, 0x00, 0x00])) return collectModule();
  if (startsWith(version, [0x0d, 0x00, 0x01, 0x00])) return collectComponent();
  throw new NotWebAssembly(
    `version ${[...version].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')} is unknown`,
  );
};

/**
 * Reads the outermost sections of a WebAssembly binary: whether it is a component or a core module, and what it
 * imports and exports. Nothing is compiled and function bodies are not looked at; sections and forms that are newer
 * than this are passed over, as a runtime will say what it thinks of them. Throws {@link NotWebAssembly} for anything
 * else, truncated files included, and {@link LimitExceeded} for more than engines read.
 * Source: WebAssembly core specification, chapter 5, and Binary.md of the component model.
 */
export const inspectComponent = (bytes: Uint8Array): ComponentInfo => {
  const collector = collectorFor(bytes);
  const file = new Reader(bytes, 8, bytes.length);
  while (!file.done) {
    const id = file.byte();
    collector.section(id, file.part(file.unsigned(), 'a section'));
  }
  return collector.info();
};

/** What a runtime can do with a binary: answer HTTP requests, run it once, or run a core module as a preview 1 command. */
export type World = 'proxy' | 'command' | 'module';

const interfacesOf = (info: ComponentInfo): ReadonlySet<string> =>
  new Set(info.exports.map((name) => name.split('@')[0] ?? ''));

/** The interfaces that answer HTTP requests: WASI 0.2's and 0.3's. */
export const handlers = ['wasi:http/incoming-handler', 'wasi:http/handler'] as const;

/** True for a component that answers HTTP requests. */
export const servesHttp = (info: ComponentInfo): boolean => {
  const interfaces = interfacesOf(info);
  return info.kind === 'component' && handlers.some((name) => interfaces.has(name));
};

/**
 * How a binary is run; undefined when nothing is exported that a runtime could start. Of a component that can be both a
 * service and a command, `once` says which it is.
 */
export const worldOf = (info: ComponentInfo, once = false): World | undefined => {
  if (info.kind === 'module') return info.exports.includes('_start') ? 'module' : undefined;
  const runs = interfacesOf(info).has('wasi:cli/run');
  if (servesHttp(info)) return once && runs ? 'command' : 'proxy';
  return runs ? 'command' : undefined;
};
