import fc from 'fast-check';
import t from 'tap';
import { inspect, inspectRegistration, type WorkerView } from '../../../lab/cluster/inspect.ts';
import { engineTopics, netTopics } from '../../../worker/contract/topics.ts';
import { deployedMessage, fields403, resourcesMessage } from './fake-worker.ts';

const id = '0123456789abcdef01234567';
const view: WorkerView = { id, dialect: '403', task: () => 'live' };
const topics = [...Object.values(engineTopics(id)), ...Object.values(netTopics(id)), 'jobs/a.b.c.d/updates_available'];

t.test('whatever arrives is judged, never thrown', async () => {
  const valid = fc.constantFrom<object>(deployedMessage, resourcesMessage(), fields403, { METHOD: 'GET' });
  const bent = fc
    .tuple(valid, fc.dictionary(fc.constantFrom('appname', 'services', 'host', 'METHOD', 'x'), fc.anything()))
    .map(([message, changes]) => ({ ...message, ...changes }));
  const payload = fc.oneof(
    fc.anything(),
    fc.json().map((text): unknown => JSON.parse(text)),
    bent,
  );
  const publication = fc.record({
    client: fc.oneof(fc.constant(id), fc.constant(`${id}-ne`), fc.string()),
    topic: fc.oneof(fc.constantFrom(...topics), fc.string()),
    qos: fc.integer({ min: 0, max: 2 }),
    retain: fc.boolean(),
    dup: fc.boolean(),
    text: fc.constant(''),
  });
  fc.assert(
    fc.property(publication, payload, (sent, data) => {
      const { message, problems } = inspect(sent, data, view);
      return message !== undefined || problems.length > 0;
    }),
    { seed: 3, numRuns: 4000 },
  );
  fc.assert(
    fc.property(payload, fc.constantFrom('400' as const, '403' as const), (data, dialect) => {
      const { problems, refused } = inspectRegistration(data, dialect);
      return !refused || problems.length > 0;
    }),
    { seed: 3, numRuns: 2000 },
  );
});

t.test('a message as the contract has it is no problem', async (t) => {
  const send = (topic: string, client: string, data: unknown) =>
    inspect({ topic, client, qos: 1, retain: false, dup: false, text: '' }, data, view);
  const net = netTopics(id);
  t.strictSame(send(net.subnetRequest, id, { METHOD: 'GET' }), { message: { kind: 'subnet' }, problems: [] });
  t.strictSame(send(net.addressChanged, id, deployedMessage).problems, []);
  t.strictSame(send(net.interestRemove, id, { appname: 'a.b.c.d' }).problems, []);
  t.strictSame(send(engineTopics(id).resources, `${id}-ne`, resourcesMessage()).problems, []);
});

t.test('a report that is sent again says what was so before the instance ended', (t) => {
  const ended: WorkerView = { ...view, task: () => 'ended' };
  const sent = { topic: engineTopics(id).resources, client: `${id}-ne`, qos: 1, retain: false, text: '' };
  t.match(inspect({ ...sent, dup: false }, resourcesMessage(), ended).problems, [/^reports the ended instance/]);
  t.strictSame(inspect({ ...sent, dup: true }, resourcesMessage(), ended).problems, []);
  t.end();
});
