import { fact } from './world/fact.ts';
import { inLab } from './world/sandbox.ts';

const omitted = process.env['LAB_NIGHTLY'] ? undefined : 'a silence of many minutes: npm run nightly';
/** The longest silence that a worker may put up with. */
const longMs = 1_200_000;

inLab(import.meta.url, (folder) => {
  const slow = 'a silence of many minutes';
  fact(folder, '2.6', { in: 'once', runs: true, slow, omitted }, async (t, { worker, cluster }) => {
    await worker();
    t.equal(cluster.registrations.length, 1);
    await cluster.until('a second registration', () => cluster.registrations[1], longMs);
    await cluster.next('information');
    t.match(cluster.registrations[1], { host: cluster.registrations[0]?.['host'] });
  });
});
