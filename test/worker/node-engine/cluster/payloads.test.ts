import fc from 'fast-check';
import t from 'tap';
import type { Message } from '../../../support/cluster/broker.ts';
import { startCluster } from '../../../support/cluster/engine.ts';
import { rounds } from '../../../support/inputs.ts';
import { job } from '../support/jobs.ts';
import { startWorker } from '../support/worker.ts';

const name = fc.oneof(
  fc.constantFrom('a.b.c.d', '../../etc/passwd', '$(reboot).b.c.d', 'a.b.c.d; reboot', 'a.b.c.d\n', '-a.b.c.d', ''),
  fc.string(),
);
const order = fc.record(
  {
    job_name: fc.oneof({ weight: 4, arbitrary: name }, fc.jsonValue()),
    instance_number: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: -1, max: 2_000_000_000 }) }, fc.jsonValue()),
    image: fc.oneof(fc.webUrl(), fc.constantFrom('file:///dev/zero', '/etc/shadow', 'oci://'), fc.jsonValue()),
    virtualization: fc.oneof(fc.constantFrom('wasm', 'docker', 'constructor'), fc.jsonValue()),
    port: fc.oneof(fc.constantFrom('80:80', '0', '80:80/sctp', '`reboot`'), fc.jsonValue()),
    cmd: fc.jsonValue(),
    environment: fc.jsonValue(),
    memory: fc.jsonValue(),
    status: fc.string(),
  },
  { requiredKeys: [] },
);

t.test('whatever a cluster sends, every answer is one of the contract and the worker goes on', async (t) => {
  const kinds = fc.constantFrom('deploy' as const, 'delete' as const, 'error' as const);
  const payload = fc.oneof({ weight: 3, arbitrary: order }, fc.jsonValue(), fc.string());
  const answered = ({ body }: Message) => body['sname'] === 'after.all.of.that' && body['status'] === 'FAILED';
  for (const round of rounds(20_261_125)) {
    await using cluster = await startCluster();
    await using _worker = await startWorker(cluster, { dialect: '403' });
    await cluster.subscribed();
    const sent = fc.asyncProperty(kinds, payload, (kind, body) => cluster.send(kind, body));
    await fc.assert(sent, round);
    await cluster.send('deploy', job('file:///nothing', { job_name: 'after.all.of.that' }));
    t.ok(await cluster.until(() => cluster.messages.find(answered), 'an answer after all of that'));
    t.ok(cluster.messages.length > 100, `${cluster.messages.length} answers`);
    t.same(cluster.violations, []);
  }
});
