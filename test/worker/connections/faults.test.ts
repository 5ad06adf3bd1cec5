import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { deadline, until } from '../../../lab/system/wait.ts';
import type { Cluster } from '../../support/cluster/engine.ts';
import { type Answers, startMuteBroker } from '../../support/servers/mute-broker.ts';
import { inSandbox } from '../net-manager/sandbox.ts';
import { startWorker } from '../node-engine/support/worker.ts';

const patienceMs = 180_000;
const id = 'a'.repeat(24);

/** A cluster's API that tells workers of the broker at `port`, or hangs in the middle of its first answer. */
const startApi = async (t: Test, port: number, hangs = false): Promise<Cluster & { readonly asked: () => number }> => {
  let asked = 0;
  const server = createServer((_, response) => {
    asked += 1;
    if (hangs && asked === 1) return void response.writeHead(200, { 'content-length': 1000 }).write('{"id":');
    return response.end(JSON.stringify({ id, MQTT_BROKER_PORT: String(port) }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, asked: () => asked } as never;
};

const again = async (t: Test, what: string, times: () => number, least = 3): Promise<void> => {
  const more = await until(() => (times() >= least ? times() : undefined), deadline(patienceMs, `${what} again`));
  t.ok(more >= least, what);
};

inSandbox(import.meta.url, () => {
  t.jobs = 10; // each waits for limits to run out
  const silences: readonly (readonly [string, Answers])[] = [
    ['acknowledges no subscription', { connect: true, subscribe: false }],
    ['acknowledges no message', { connect: true, subscribe: true }],
    ['accepts connections and is silent', { connect: false, subscribe: false }],
  ];
  for (const [what, answers] of silences) {
    t.test(`a broker that ${what}: the engine connects anew`, async (t) => {
      await using broker = await startMuteBroker(answers);
      const api = await startApi(t, broker.port);
      await using _worker = await startWorker(api, { dialect: '403' });
      await again(t, 'connections', broker.connections);
      await again(t, 'registrations', api.asked);
    });
  }

  t.test('an answer to a registration that never comes whole is not waited for', async (t) => {
    await using broker = await startMuteBroker({ connect: true, subscribe: true });
    const api = await startApi(t, broker.port, true);
    await using _worker = await startWorker(api, { dialect: '403' });
    await until(
      () => broker.connections() || undefined,
      deadline(patienceMs, 'a connection after a second registration'),
    );
    t.equal(api.asked(), 2);
  });
});
