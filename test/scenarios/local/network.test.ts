import { appendixShows, vethShows } from '../expected.ts';
import { samplesOf } from '../passes.ts';
import { passesOnLocal } from './local.ts';

await passesOnLocal('bridged', async (t, { results }) => {
  t.match(results.machine, { name: 'local', fidelity: 'native' });
  t.ok(samplesOf(results, 'load.responses').every((count) => count > 0));
  const [user] = samplesOf(results, 'load.cpu.user');
  t.ok(user !== undefined && user > 0, 'a request has CPU time of the service');
  t.ok(results.run.metrics.some(({ kind }) => kind === 'performance'));
});

await passesOnLocal('veth', vethShows);

await passesOnLocal('appendix-b', appendixShows);
