import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { inspectComponent, UnusableBinary, worldOf } from '../../../worker/contract/component.ts';
import { inputs } from '../../support/inputs.ts';
import { component, header, largeSection, module, section, text, wide } from './binary.ts';

const fixture = new URL('../../../fixtures/hello-wasi-http/hello-wasi-http.wasm', import.meta.url);
const noFixture = existsSync(fixture) ? false : 'the fixture hello-wasi-http is not built';
const seeded = inputs(20_260_801);

const reasonOf = (bytes: Uint8Array): string | undefined => {
  try {
    inspectComponent(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof UnusableBinary) return error.reason;
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

t.test('a command and a component that nothing can start', async (t) => {
  const exporting = (name: string) => component(...section(11, 1, 0x00, ...text(name), 0x05, 0x00, 0x00));
  t.equal(worldOf(inspectComponent(exporting('wasi:cli/run@0.2.6'))), 'command');
  t.equal(worldOf(inspectComponent(exporting('wasi:cli/runner@0.2.6'))), undefined);
  t.equal(worldOf(inspectComponent(component())), undefined);
  t.equal(worldOf(inspectComponent(exporting('wasi:http/handler@0.3.2'))), 'proxy');
  t.equal(worldOf(inspectComponent(exporting('wasi:http/handler-too@0.3.2'))), undefined);
});

t.test('a component that can be both is run as the job asks', async (t) => {
  const names = ['wasi:cli/run@0.3.0', 'wasi:http/incoming-handler@0.2.6'];
  const both = names.flatMap((name) => [0x00, ...text(name), 0x05, 0x00, 0x00]);
  const info = inspectComponent(component(...section(11, 2, ...both)));
  t.equal(worldOf(info), 'proxy');
  t.equal(worldOf(info, true), 'command');
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
});

/** A number as LEB128 in five bytes. */
t.test('a valid module is read whatever it is full of', async (t) => {
  const named = (name: string) => Buffer.concat([Buffer.from(wide(Buffer.byteLength(name))), Buffer.from(name)]);
  const exporting = (names: readonly string[]) =>
    module(
      largeSection(
        7,
        Buffer.concat([
          Buffer.from(wide(names.length)),
          ...names.map((name) => Buffer.concat([named(name), Buffer.from([0, 0])])),
        ]),
      ),
    );
  const long = exporting(['x'.repeat(50_000), '_start']);
  t.equal(worldOf(inspectComponent(long)), 'module');
  t.equal(inspectComponent(long).exports[0]?.length, 200, 'names are cut');
  const many = inspectComponent(exporting([...Array.from({ length: 300_000 }, (_, index) => `f${index}`), '_start']));
  t.equal(worldOf(many), 'module');
  t.equal(many.exports.length, 1001, 'of names that decide nothing some are kept');
  const sections = Buffer.concat([exporting(['_start']), Buffer.alloc(400_000, Buffer.from(section(0)))]);
  t.equal(worldOf(inspectComponent(sections)), 'module', 'sections are not counted');
  const later = Buffer.concat([exporting(['_start']), Buffer.from(section(99, 1, 2, 3))]);
  t.equal(worldOf(inspectComponent(later)), 'module', 'a section that came later is passed over');
});

t.test('more than any engine reads is a limit and no fault of the file', async (t) => {
  const names = largeSection(7, Buffer.concat([Buffer.from(wide(6_000_000)), Buffer.alloc(18_000_000)]));
  t.throws(() => inspectComponent(module(names)), {
    name: 'LimitExceeded',
    message: /beyond what is read: 6000000 exports; engines read at most 1000000$/,
  });
  const size = 50_000_000;
  const named = Buffer.concat([Buffer.from([1, ...wide(size)]), Buffer.alloc(size, 'x'), Buffer.from([0, 0])]);
  t.equal(reasonOf(module(largeSection(7, named))), 'a name of 50000000 bytes; engines read at most 100000');
});

/** Imports of a core module in every form that the specification and its proposals have, each from a module of its own. */
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

t.test('arbitrary bytes end in an answer or in UnusableBinary', async () => {
  const versions = fc.constantFrom([1, 0, 0, 0], [0x0d, 0, 1, 0]);
  fc.assert(
    fc.property(versions, fc.uint8Array({ maxLength: 64 }), (version, rest) => {
      reasonOf(Uint8Array.from([...header, ...version, ...rest]));
    }),
    seeded,
  );
});

t.test('a changed byte in a real component ends in an answer or in UnusableBinary', { skip: noFixture }, async () => {
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
