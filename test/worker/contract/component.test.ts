import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { inspectComponent, NotWebAssembly, worldOf } from '../../../worker/contract/component.ts';
import { inputs } from '../../support/inputs.ts';

const fixture = new URL('../../../fixtures/hello-wasi-http/hello-wasi-http.wasm', import.meta.url);
const noFixture = existsSync(fixture) ? false : 'the fixture hello-wasi-http is not built';
const seeded = inputs(20_260_801);

const reasonOf = (bytes: Uint8Array): string | undefined => {
  try {
    inspectComponent(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof NotWebAssembly) return error.reason;
    throw error;
  }
};

t.test('a wasi:http component is recognised by its export', { skip: noFixture }, async (t) => {
  const info = inspectComponent(readFileSync(fixture));
  t.equal(info.kind, 'component');
  t.match(info.exports, [/^wasi:http\/incoming-handler@0\.2/]);
  t.ok(info.imports.some((name) => name.startsWith('wasi:http/types@0.2')));
  t.equal(worldOf(info), 'proxy');
});

type ModuleReader = (new (
  bytes: Uint8Array,
) => object) & {
  readonly exports: (module: object) => readonly { readonly name: string }[];
  readonly imports: (module: object) => readonly { readonly module: string }[];
};
const { Module } = Reflect.get(globalThis, 'WebAssembly') as { readonly Module: ModuleReader };

const header = [0x00, 0x61, 0x73, 0x6d];
const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
const section = (id: number, ...content: number[]): number[] => [id, content.length, ...content];
const component = (...sections: number[]): Uint8Array =>
  Uint8Array.from([...header, 0x0d, 0x00, 0x01, 0x00, ...sections]);

t.test('a command and a component that nothing can start', async (t) => {
  const exporting = (name: string) => component(...section(11, 1, 0x00, ...text(name), 0x05, 0x00, 0x00));
  t.equal(worldOf(inspectComponent(exporting('wasi:cli/run@0.2.6'))), 'command');
  t.equal(worldOf(inspectComponent(exporting('wasi:cli/runner@0.2.6'))), undefined);
  t.equal(worldOf(inspectComponent(component())), undefined);
});

t.test('every description of an import is passed over', async (t) => {
  const descriptions = [
    [0x00, 0x11, 0],
    [0x01, 1],
    [0x02, 0x01, 0x7f],
    [0x03, 0x00, 2],
    [0x03, 0x01],
    [0x04, 3],
    [0x05, 4],
  ];
  const imports = descriptions.flatMap((description, index) => [0x00, ...text(`a:b/i${index}`), ...description]);
  const info = inspectComponent(component(...section(10, descriptions.length, ...imports)));
  t.same(
    info.imports,
    descriptions.map((_, index) => `a:b/i${index}`),
  );
});

t.test('core modules are read as the JavaScript engine reads them', async (t) => {
  const vendor = join(dirname(createRequire(import.meta.url).resolve('@bytecodealliance/jco-transpile')), '../vendor');
  for (const name of ['wasm-tools.core.wasm', 'wasm-tools.core2.wasm', 'js-component-bindgen-component.core2.wasm']) {
    const bytes = readFileSync(join(vendor, name));
    const module = new Module(bytes);
    const info = inspectComponent(bytes);
    t.equal(info.kind, 'module');
    t.same(
      info.exports,
      Module.exports(module).map((one) => one.name),
      name,
    );
    t.same(info.imports, [...new Set(Module.imports(module).map((one) => one.module))], name);
  }
  const start = Uint8Array.from([...header, 1, 0, 0, 0, ...section(7, 1, ...text('_start'), 0, 0)]);
  t.equal(worldOf(inspectComponent(start)), 'module');
});

t.test('other files are refused with the reason', async (t) => {
  t.match(reasonOf(new Uint8Array()), /empty/);
  t.match(reasonOf(Buffer.from('<!DOCTYPE html>')), /does not begin with/);
  t.match(reasonOf(Buffer.from('(component)')), /text format/);
  t.match(reasonOf(Buffer.from('\x7fELF\x02\x01')), /native code/);
  t.match(reasonOf(Uint8Array.from([...header, 9, 0, 0, 0])), /version 09 00 00 00/);
  t.match(reasonOf(component(99, 0)), /section 0x63/);
});

/** A number as LEB128 in five bytes. */
const wide = (value: number): number[] =>
  [0, 7, 14, 21, 28].map((shift) => (Math.floor(value / 2 ** shift) & 0x7f) | (shift < 28 ? 0x80 : 0));
const largeSection = (id: number, content: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.from([id, ...wide(content.length)]), content]);
const module = (...sections: Uint8Array[]): Uint8Array =>
  Buffer.concat([Buffer.from([...header, 1, 0, 0, 0]), ...sections]);
/** How long a binary is looked at, in ms: the shortest of some times, as others use the processor, too. */
const msOf = (bytes: Uint8Array): number => {
  const times = Array.from({ length: 5 }, () => {
    const begun = performance.now();
    reasonOf(bytes);
    return performance.now() - begun;
  });
  return Math.min(...times);
};

t.test('millions of names are refused, in a few words and sooner than some thousands are read', async (t) => {
  const wrapped = (bytes: Uint8Array) => Buffer.concat([component(), bytes]);
  for (const [make, id, item] of [
    [module, 2, [0, 0, 0, 0]],
    [module, 7, [0, 0, 0]],
    [wrapped, 10, [0, 0, 1, 0]],
    [wrapped, 11, [0, 0, 1, 0, 0]],
  ] as const) {
    const names = (count: number) =>
      make(
        largeSection(
          id,
          Buffer.concat([Buffer.from(wide(count)), Buffer.alloc(count * item.length, Buffer.from(item))]),
        ),
      );
    const [some, millions] = [names(9000), names(6_000_000)];
    t.equal(reasonOf(some), undefined);
    t.equal(reasonOf(millions), '6000000 imports or exports; at most 10000 are read', `section ${id}`);
    t.ok(msOf(millions) < msOf(some));
  }
});

t.test('many sections are no way around that', async (t) => {
  const two = section(11, 2, ...[0, 0, 1, 0, 0], ...[0, 0, 1, 0, 0]);
  const sections = (count: number, one: readonly number[]) =>
    Buffer.concat([component(), Buffer.alloc(count * one.length, Buffer.from(one))]);
  t.equal(inspectComponent(sections(5000, two)).exports.length, 10_000);
  t.match(reasonOf(sections(5001, two)), /at most 10000/);
  t.match(reasonOf(sections(10_000_000, section(0))), /more than 100000 sections/);
});

t.test('a name of 50 MB is refused without being repeated', async (t) => {
  const size = 50_000_000;
  const named = Buffer.concat([Buffer.from([1, ...wide(size)]), Buffer.alloc(size, 'x'), Buffer.from([0, 0])]);
  t.equal(reasonOf(module(largeSection(7, named))), 'a name of 50000000 bytes; at most 1000 are read');
});

t.test('a truncated component never gains a name', { skip: noFixture }, async () => {
  const bytes = readFileSync(fixture);
  const whole = inspectComponent(bytes);
  const begins = (all: readonly string[], part: readonly string[]) => part.every((name, index) => name === all[index]);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), (length) => {
      const cut = bytes.subarray(0, length);
      if (reasonOf(cut) !== undefined) return true;
      const info = inspectComponent(cut);
      return begins(whole.exports, info.exports) && begins(whole.imports, info.imports);
    }),
    seeded,
  );
});

t.test('arbitrary bytes end in an answer or in NotWebAssembly', async () => {
  const versions = fc.constantFrom([1, 0, 0, 0], [0x0d, 0, 1, 0]);
  fc.assert(
    fc.property(versions, fc.uint8Array({ maxLength: 64 }), (version, rest) => {
      reasonOf(Uint8Array.from([...header, ...version, ...rest]));
    }),
    seeded,
  );
});

t.test('a changed byte in a real component ends in an answer or in NotWebAssembly', { skip: noFixture }, async () => {
  const original = readFileSync(fixture);
  fc.assert(
    fc.property(fc.nat(original.length - 1), fc.nat(255), (at, value) => {
      const bytes = Uint8Array.from(original);
      bytes[at] = value;
      reasonOf(bytes);
    }),
    seeded,
  );
});
