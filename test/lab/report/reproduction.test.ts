import t from 'tap';
import { checkedInputs } from '../../../lab/report/compare/checked-inputs.ts';
import { compareReproduction } from '../../../lab/report/compare/reproduction.ts';
import type { Results } from '../../../lab/report/model/results.ts';
import { passedResults } from './example.ts';

const counted = (samples: number[]): Results => ({
  ...passedResults(),
  metrics: [{ name: 'request.p50', unit: 'instructions', kind: 'counted', where: 'board', dimensions: {}, samples }],
});

t.test('a repetition whose times alone differ is the same', (t) => {
  const before = counted([244_208]);
  const after = { ...before, run: { ...before.run, id: 'another', seconds: 99 } };
  t.same(compareReproduction(before, after), { inputs: [], outcome: [] });
  t.end();
});

t.test('other inputs, options and machines are told apart from another outcome', (t) => {
  const before = counted([244_208]);
  const [first, ...rest] = before.inputs;
  const other = {
    ...before,
    inputs: [{ ...first, name: 'wasmtime', sha256: 'f'.repeat(64) }, ...rest],
    options: { ...before.options, duration: 5 },
  };
  t.same(compareReproduction(before, other), {
    inputs: [
      { name: 'option duration', before: '4', after: '5' },
      { name: 'wasmtime', before: '48.0.2 sha256:aaaaaaaaaaaa', after: '48.0.2 sha256:ffffffffffff' },
    ],
    outcome: [],
  });
  t.end();
});

t.test('one instruction more, a verdict and an expectation are each a difference', (t) => {
  const before = counted([244_208]);
  t.same(compareReproduction(before, counted([244_209])).outcome, [
    { name: 'request.p50 board', before: '244208', after: '244209' },
  ]);
  const [first, ...rest] = before.steps;
  const failed: Results = {
    ...before,
    verdict: 'failed',
    steps: first === undefined ? [] : [{ ...first, verdict: 'failed', expectations: [] }, ...rest],
  };
  t.same(compareReproduction(before, failed).outcome, [
    { name: 'verdict', before: 'passed', after: 'failed' },
    { name: 'step "deploy"', before: 'passed', after: 'failed' },
    { name: 'step "deploy": status CREATED', before: 'passed', after: 'absent' },
  ]);
  t.end();
});

t.test('a digest is compared with that of the same input, a component with the file of its name', (t) => {
  const component = (version: string, sha256: string) => ({ name: 'component', version, sha256 });
  t.same(
    checkedInputs(
      [component('a.wasm', '1'), component('b.wasm', '2'), { name: 'qemu', sha256: '3' }, { name: 'node' }],
      [component('b.wasm', '2'), component('a.wasm', '9')],
    ),
    [
      { name: 'component', version: 'a.wasm', recorded: '1', here: '9' },
      { name: 'component', version: 'b.wasm', recorded: '2', here: '2' },
      { name: 'qemu', recorded: '3' },
    ],
  );
  t.end();
});
