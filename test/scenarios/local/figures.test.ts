import { diff } from '../../../lab/report/compare/diff.ts';
import { samplesOf } from '../passes.ts';
import { passesOnLocal } from './local.ts';

await passesOnLocal('startup', async (t, { results }) => {
  const ways = results.run.metrics.filter(({ name }) => name === 'startup');
  t.equal(ways.length, 4, 'as .wasm and precompiled, with a cold cache and a warm one');
  t.ok(ways.every(({ samples }) => samples.length > 1 && samples.every((ms) => ms > 0)));
});

await passesOnLocal('density', async (t, { results }) => {
  t.equal(samplesOf(results, 'deploy').length, 8, 'every deployment is a sample');
  for (const name of ['memory.proportional', 'memory.private']) {
    const memory = results.run.metrics.filter((metric) => metric.name === name);
    t.ok(memory.length > 1 && memory.every(({ samples }) => samples.length === 1), 'one boot is one sample');
    t.ok(samplesOf(results, name).every((bytes) => bytes > 1e6));
  }
  const { changes } = diff(results, results);
  const judged = changes.filter(
    ({ metric, judgement }) => metric.name.startsWith('memory.') && judgement !== "can't tell",
  );
  t.strictSame(judged, [], 'the memory of one boot is not enough to judge it');
  t.ok(results.run.latencies.some(({ name }) => name === 'with 8 instances'));
});

await passesOnLocal('compare', async (t, { results }) => {
  const loads = results.run.latencies.map(({ name }) => name).toSorted();
  t.strictSame(
    loads,
    [
      ...['bridged', 'bridged, mapped port', 'loopback', 'veth', 'veth, mapped port'].flatMap((way) => [
        `${way}, native`,
        `${way}, wasm`,
      ]),
      'loopback, wasm reused',
    ].toSorted(),
  );
  t.equal(
    results.run.metrics.find(({ name, dimensions }) => name === 'load.rate' && dimensions['load'] === 'loopback, wasm')
      ?.samples.length,
    2,
    'what is measured in both topologies has a sample of each',
  );
});
