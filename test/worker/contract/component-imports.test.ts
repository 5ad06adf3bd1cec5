import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import fc from 'fast-check';
import t from 'tap';
import { inspectComponent, worldOf } from '../../../worker/contract/component.ts';
import { inputs } from '../../support/inputs.ts';
import { component, largeSection, module, section, text, wide } from './binary.ts';

const seeded = inputs(20_260_801);

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

const importForms: readonly (readonly number[])[] = [
  [0x00, 0],
  [0x20, 0],
  [0x01, 0x70, 0x00, 1],
  [0x01, 0x69, 0x01, 1, 2],
  [0x01, 0x63, 0x80, 0x01, 0x05, 1, 0x80, 0x80, 0x80, 0x80, 0x10],
  [0x01, 0x64, 0x65, 0x6e, 0x00, 1],
  [0x01, 0x63, 0x62, 0x05, 0x00, 1],
  [0x01, 0x65, 0x70, 0x00, 1],
  [0x02, 0x00, 1],
  [0x02, 0x03, 1, 2],
  [0x02, 0x05, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0x02, 0x09, 1, 2, 0],
  [0x03, 0x7f, 0x00],
  [0x03, 0x64, 0x05, 0x01],
  [0x03, 0x7b, 0x02],
  [0x04, 0x00, 3],
];

t.test('imports of every form are read, and what a form of the future hides is not missed with it', async (t) => {
  const form = fc.nat(importForms.length - 1);
  fc.assert(
    fc.property(fc.array(form, { maxLength: 20 }), fc.boolean(), (forms, compact) => {
      const entries = forms.map((one, index) => [...text(`m${index}`), ...text('x'), ...(importForms[one] ?? [])]);
      const groups = [
        [...text('c1'), 0, 0x7f, 2, ...text('a'), 0x00, 0, ...text('b'), 0x02, 0x00, 1],
        [...text('c2'), 0, 0x7e, 0x03, 0x7f, 0x00, 2, ...text('a'), ...text('b')],
      ];
      const all = compact ? [...groups, ...entries] : entries;
      const content = Buffer.from([...wide(all.length), ...all.flat()]);
      const exported = Buffer.from(section(7, 1, ...text('_start'), 0, 0));
      const info = inspectComponent(Buffer.concat([module(largeSection(2, content)), exported]));
      const expected = [...(compact ? ['c1', 'c2'] : []), ...forms.map((_, index) => `m${index}`)];
      return JSON.stringify(info.imports) === JSON.stringify(expected) && worldOf(info) === 'module';
    }),
    seeded,
  );
  const future = module(
    Buffer.from(section(2, 2, ...text('a'), ...text('x'), 0x55, 1, 2)),
    Buffer.from(section(7, 1, ...text('_start'), 0, 0)),
  );
  t.match(inspectComponent(future), { imports: ['a'], exports: ['_start'] });
});

t.test('names of a component in each of their forms', async (t) => {
  const instance = [0x05, 0];
  const exported = [0x05, 0, 0];
  const suffixed = [0x02, ...text('wasi:http/handler@0.3'), 1, 0x01, ...text('.2')];
  const labelled = [0x02, ...text('store'), 2, 0x00, ...text('wasi:keyvalue/store'), 0x02, ...text('id')];
  const info = inspectComponent(
    component(
      ...section(
        10,
        3,
        0x00,
        ...text('a:b/c'),
        ...instance,
        0x01,
        ...text('a:b/d'),
        ...instance,
        ...labelled,
        ...instance,
      ),
      ...section(11, 1, ...suffixed, ...exported),
    ),
  );
  t.same(info.imports, ['a:b/c', 'a:b/d', 'store']);
  t.same(info.exports, ['wasi:http/handler@0.3.2']);
  t.equal(worldOf(info), 'proxy');
});

t.test('an import that holds nothing but types needs nobody to provide it', async (t) => {
  const binary = await parse(`(component
    (type $record (instance
      (type (record (field "a" string) (field "b" (list (tuple u8 f64)))))
      (export "point" (type (eq 0)))
      (type (variant (case "x" (option u32)) (case "y")))
      (export "choice" (type (eq 2)))
      (type (flags "p" "q")) (type (enum "r" "s")) (type (result string (error u8)))
      (type (stream u8)) (type (future))
      (type (list u8 4))))
    (type $function (instance (type (func (param "a" string) (result u32))) (export "f" (func (type 0)))))
    (type $resource (instance (export "r" (type (sub resource)))))
    (import "a:types/only" (instance $only (type $record)))
    (alias export $only "point" (type $point))
    (import "a:needs/function" (instance (type $function)))
    (import "a:needs/resource" (instance (type $resource)))
    (import "point" (type (eq $point)))
    (import "plain" (func)))`);
  const info = inspectComponent(binary);
  t.same(info.imports, ['a:types/only', 'a:needs/function', 'a:needs/resource', 'point', 'plain']);
  t.same(info.needs, ['a:needs/function', 'a:needs/resource', 'plain']);
});
