import fc from 'fast-check';
import t from 'tap';
import { problemsOf } from '../../../../worker/contract/check.ts';
import { ResourcesMessage400, ResourcesMessage403 } from '../../../../worker/contract/job.ts';
import { nodeFields } from '../../../../worker/contract/registration.ts';
import { nodeFieldsMessage, resourcesMessage } from '../../../../worker/node-engine/cluster/messages.ts';
import { busyPercent, nodeFacts } from '../../../../worker/node-engine/cluster/node-facts.ts';
import { Outbox } from '../../../../worker/node-engine/cluster/outbox.ts';

const seeded = { seed: 20_260_803, numRuns: 1000 };

t.test('this node, as both dialects tell it', async (t) => {
  const facts = await nodeFacts()();
  const identity = { id: '', ip: '10.0.0.1', runtimes: ['wasm'] };
  for (const dialect of ['400', '403'] as const)
    t.same(problemsOf(nodeFields(dialect), nodeFieldsMessage(dialect, identity, facts)), []);
  t.ok(facts.memoryTotal > facts.memoryAvailable && facts.memoryAvailable > 0);
  t.equal(busyPercent({ busy: 10, total: 100 }, { busy: 60, total: 200 }), 50);
});

t.test('figures of instances are decimal strings in both dialects', async () => {
  const figure = fc.double({ min: 0, max: 1e9, noNaN: true });
  const usage = { job: 'a.b.c.d', instance: 0, virtualization: 'wasm', logs: '' };
  fc.assert(
    fc.property(figure, figure, (cpuPercent, memoryPercent) => {
      const instances = [{ ...usage, cpuPercent, memoryPercent }];
      return (
        problemsOf(ResourcesMessage403, resourcesMessage('403', instances)).length === 0 &&
        problemsOf(ResourcesMessage400, resourcesMessage('400', instances)).length === 0
      );
    }),
    seeded,
  );
});

t.test('messages arrive in order, each once, however often the line breaks', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 20 }), async (breaks) => {
      const outbox = new Outbox<number>();
      const got: number[] = [];
      const all = Promise.all(breaks.map((_, index) => outbox.put(index)));
      for (const broken of [...breaks, false]) {
        outbox.attach(async (message) => {
          if (broken) throw new Error('lost');
          got.push(message);
        });
        await new Promise(setImmediate);
        outbox.detach();
      }
      await all;
      return JSON.stringify(got) === JSON.stringify([...breaks.keys()]);
    }),
    { ...seeded, numRuns: 200 },
  );
  t.pass();
});
