import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { deadline, until } from '../../../lab/system/wait.ts';
import { startCluster } from '../../support/cluster/engine.ts';
import { startMuteBroker } from '../../support/servers/mute-broker.ts';
import { createDaemon as createNetManager } from '../net-manager/daemon.ts';
import { inSandbox } from '../net-manager/sandbox.ts';
import { createDaemon, fixture, noWasmtime } from '../node-engine/support/daemon.ts';
import { job, service } from '../node-engine/support/jobs.ts';

const id = 'a'.repeat(24);
const registration = { client_id: id, cluster_address: '127.0.0.1' };
const patienceMs = 120_000;
/** What is promised is 3 s; a computer that runs other tests besides is given more, and a forced end is in the log. */
const endMs = 60_000;

type Ending = { readonly log: () => string; readonly end: (signal: NodeJS.Signals) => Promise<number | null> };

const ends = async (t: Test, daemon: Ending): Promise<void> => {
  const late = deadline(endMs, 'the end after SIGTERM');
  const given = new Promise<never>((_, reject) => late.addEventListener('abort', () => reject(late.reason)));
  t.equal(await Promise.race([daemon.end('SIGTERM'), given]), 0, daemon.log());
  t.notMatch(daemon.log(), /not everything was finished/, 'by itself');
};

const said = (daemon: Ending, what: RegExp): Promise<true> =>
  until(() => (what.test(daemon.log()) ? true : undefined), deadline(patienceMs, String(what)));

const listening = async (t: Test, server: ReturnType<typeof createTcpServer>, where: string | number = 0) => {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => void sockets.add(socket));
  if (typeof where === 'string') server.listen(where);
  else server.listen(where, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return { port: typeof address === 'object' ? ((address as AddressInfo | null)?.port ?? 0) : 0, sockets };
};

/** A cluster's API that answers every registration in this way. */
const api = (t: Test, answer: Parameters<typeof createServer>[1]) => listening(t, createServer(answer as never));

/** There is one net manager a board. */
const alone = { buffered: false } as const;

inSandbox(import.meta.url, () => {
  t.jobs = 4;
  const skip = noWasmtime;

  t.test('the engine ends while its registration is refused', { skip }, async (t) => {
    const { port } = await api(t, (_, response) => response.writeHead(503).end('not now'));
    await using daemon = await createDaemon(port);
    daemon.start();
    await said(daemon, /refused the worker with 503/);
    await ends(t, daemon);
  });

  t.test('the engine says where a cluster redirects to', { skip }, async (t) => {
    const { port } = await api(t, (_, response) =>
      response.writeHead(301, { location: 'https://cluster.example.org/' }).end(),
    );
    await using daemon = await createDaemon(port);
    daemon.start();
    await said(daemon, /redirects to https:\/\/cluster\.example\.org\/: set cluster_address/);
    await ends(t, daemon);
  });

  t.test('the engine ends while the answer to its registration hangs', { skip }, async (t) => {
    const asked = Promise.withResolvers<void>();
    const { port } = await api(t, (_, response) => {
      response.writeHead(200, { 'content-length': 1000 }).write('{"id":');
      asked.resolve();
    });
    await using daemon = await createDaemon(port);
    daemon.start();
    await asked.promise;
    await ends(t, daemon);
  });

  for (const [what, answers] of [
    ['acknowledges nothing', { connect: true, subscribe: false }],
    ['says nothing at all', { connect: false, subscribe: false }],
  ] as const)
    t.test(`both end while the broker ${what}`, { skip, ...alone }, async (t) => {
      await using broker = await startMuteBroker(answers);
      await using other = await startMuteBroker(answers);
      const answer = JSON.stringify({ id, MQTT_BROKER_PORT: String(broker.port) });
      const { port } = await api(t, (_, response) => response.end(answer));
      await using manager = await createNetManager({ ClusterMqttPort: String(other.port) });
      const asking = manager.post('/register', registration);
      await using engine = await createDaemon(port, {}, ['--net-manager', '/run/nobody.sock']);
      engine.start();
      for (const { connections } of [broker, other])
        await until(() => connections() || undefined, deadline(patienceMs, 'a connection'));
      await Promise.all([ends(t, engine), ends(t, manager)]);
      t.ok([500, 503].includes((await asking).status), 'who waits is told');
    });

  const refusing = () => createServer((_, response) => response.writeHead(400).end('registered as another already'));
  const hanging = () => createServer(() => undefined);
  for (const [what, makeManager] of [
    ['is away', undefined],
    ['refuses it', refusing],
    ['hangs', hanging],
  ] as const)
    t.test(`the engine ends while NetManager ${what}, in the middle of a deployment`, { skip }, async (t) => {
      await using cluster = await startCluster();
      const image = await cluster.offer('hello.wasm', fixture('hello-wasi-http'));
      await using daemon = await createDaemon(cluster.port);
      if (makeManager) await listening(t, makeManager(), daemon.socket);
      daemon.start();
      await cluster.subscribed();
      await cluster.send('deploy', job(image));
      await said(daemon, /CREATING/);
      await ends(t, daemon);
    });

  t.test('the net manager ends while requests are half there and others wait for addresses', alone, async (t) => {
    const probe = await listening(t, createTcpServer());
    await using daemon = await createNetManager({ ClusterMqttPort: String(probe.port) });
    const halves = ['POST /wasm/deploy HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{', 'POST /register HT', ''];
    const open = halves.map((text) =>
      connect(daemon.socket, function write(this: Socket) {
        this.write(text);
      }),
    );
    for (const socket of open) socket.on('error', () => undefined);
    await Promise.all(open.map((socket) => once(socket, 'connect')));
    const waiting = [
      daemon.post('/register', registration),
      daemon.post('/wasm/deploy', { serviceName: service, instanceNumber: 0 }),
    ];
    await until(() => probe.sockets.size || undefined, deadline(patienceMs, 'a connection to the broker'));
    await ends(t, daemon);
    for (const { status } of await Promise.all(waiting)) t.ok([400, 500].includes(status), String(status));
  });

  t.test(
    'the net manager breaks off a request that does not come whole, and a later one is answered',
    alone,
    async (t) => {
      await using daemon = await createNetManager({ ClusterMqttPort: '9' });
      const half = connect(daemon.socket);
      half.on('error', () => undefined);
      half.write('POST /wasm/deploy HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{');
      half.resume();
      await once(half, 'close');
      t.equal((await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber: 0 })).status, 400);
      await ends(t, daemon);
    },
  );
});
