import fc from 'fast-check';
import t from 'tap';
import { moduleClosure, parseDependencies } from '../../../lab/image/debian/modules.ts';

t.test('modules come after all that they need', async (t) => {
  const dependencies = parseDependencies(
    [
      'kernel/net/bridge/bridge.ko.xz: kernel/net/802/stp.ko.xz kernel/net/llc/llc.ko.xz',
      'kernel/net/802/stp.ko.xz: kernel/net/llc/llc.ko.xz',
      'kernel/net/llc/llc.ko.xz:',
      'kernel/net/bridge/br-netfilter.ko.xz: kernel/net/bridge/bridge.ko.xz kernel/net/802/stp.ko.xz kernel/net/llc/llc.ko.xz',
      '',
    ].join('\n'),
  );
  t.strictSame(moduleClosure(dependencies, new Set(), ['br_netfilter']), [
    'kernel/net/llc/llc.ko.xz',
    'kernel/net/802/stp.ko.xz',
    'kernel/net/bridge/bridge.ko.xz',
    'kernel/net/bridge/br-netfilter.ko.xz',
  ]);
  t.strictSame(moduleClosure(dependencies, new Set(['ext4']), ['ext4', 'llc']), ['kernel/net/llc/llc.ko.xz']);
  t.throws(() => moduleClosure(dependencies, new Set(), ['no_such']), { message: /no module 'no_such'/ });
});

t.test('whatever the graph, everything needed is there once and before', async (t) => {
  // module number n may need any of those with a smaller number; modules.dep lists all of them, the nearest first
  const graph = fc.array(fc.array(fc.nat(), { maxLength: 3 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(graph, fc.nat(), (rows, pick) => {
      const needs = rows.map((row, n) => new Set(n === 0 ? [] : row.map((other) => other % n)));
      const all = (n: number): readonly number[] =>
        [...new Set([...(needs[n] ?? [])].flatMap((other) => [other, ...all(other)]))].toSorted((a, b) => b - a);
      const text = rows
        .map(
          (_row, n) =>
            `m${n}.ko: ${all(n)
              .map((other) => `m${other}.ko`)
              .join(' ')}`,
        )
        .join('\n');
      const wanted = pick % rows.length;
      const order = moduleClosure(parseDependencies(text), new Set(), [`m${wanted}`]);
      t.strictSame(order.toSorted(), [...all(wanted), wanted].map((n) => `m${n}.ko`).toSorted());
      for (const [at, file] of order.entries())
        for (const other of needs[Number(/\d+/.exec(file)?.[0])] ?? [])
          t.ok(order.indexOf(`m${other}.ko`) < at, `${other} before ${file}`);
    }),
    { seed: 19, numRuns: 80 },
  );
});
