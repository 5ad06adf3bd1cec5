import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { findCluster, readTarget } from '../../../../lab/standing/joined/target.ts';
import { inputs } from '../../../support/inputs.ts';

const never = new AbortController().signal;

/** The port of a server that lives as long as the test. */
const listening = async (t: Test, server: net.Server): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
};

t.test('a cluster is a host, with or without a port', async (t) => {
  t.strictSame(readTarget('cluster.example.org'), { host: 'cluster.example.org', port: 10_100 });
  t.strictSame(readTarget('192.168.1.20:10101'), { host: '192.168.1.20', port: 10_101 });
  t.strictSame(readTarget('[fd00::1]:10101'), { host: 'fd00::1', port: 10_101 });
  t.strictSame(readTarget('fd00::1'), { host: 'fd00::1', port: 10_100 });
  fc.assert(
    fc.property(fc.domain(), fc.integer({ min: 1, max: 65_535 }), (host, port) => {
      t.strictSame(readTarget(`${host}:${port}`), { host, port });
    }),
    inputs(19, 200),
  );
});

t.test('other words are refused, and what to write instead is said', async (t) => {
  for (const [text, message] of [
    ['http://cluster.example.org:10100', /has a scheme: write 'cluster\.example\.org'/],
    ['cluster.example.org/api', /has a path: write 'cluster\.example\.org'/],
    ['cluster.example.org:0', /no port from 1 to 65535/],
    ['cluster.example.org:', /no port from 1 to 65535/],
    ['cluster.example.org:70000', /no port from 1 to 65535/],
    ['', /names no cluster/],
    ['0.0.0.0', /names no cluster/],
  ] as const)
    t.throws(() => readTarget(text), { fault: 'usage', message }, text);
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        const { host, port } = readTarget(text);
        t.ok(host !== '' && port >= 1 && port <= 65_535, `${text}: ${host} ${port}`);
      } catch (error) {
        t.match(error, { fault: 'usage' }, text);
      }
    }),
    inputs(19, 500),
  );
});

t.test('what answers is a cluster, reached from here by an address of this computer', async (t) => {
  const port = await listening(
    t,
    http.createServer((_, response) => response.writeHead(405).end()),
  );
  t.strictSame(await findCluster(`localhost:${port}`, undefined, never), {
    ...{ where: `localhost:${port}`, address: '127.0.0.1', port, publicAddress: '127.0.0.1' },
  });
  const named = await findCluster(`127.0.0.1:${port}`, '203.0.113.7', never);
  t.equal(named.publicAddress, '203.0.113.7');
});

t.test('a cluster that is not there is named with the reason, before anything is booted', async (t) => {
  const closed = net.createServer();
  const gone = await listening(t, closed);
  closed.close();
  await once(closed, 'close');
  await t.rejects(findCluster(`127.0.0.1:${gone}`, undefined, never), {
    fault: 'lab',
    message: `the cluster at 127.0.0.1:${gone} refuses the connection: nothing listens there`,
  });
  const greeting = net.createServer((socket) => void socket.on('error', () => {}).end('SSH-2.0-OpenSSH_10.0\r\n'));
  const ssh = await listening(t, greeting);
  await t.rejects(findCluster(`127.0.0.1:${ssh}`, undefined, never), { fault: 'lab', message: /but not in HTTP/ });
  const hanging = net.createServer((socket) => void socket.on('error', () => {}).destroy());
  const broken = await listening(t, hanging);
  await t.rejects(findCluster(`127.0.0.1:${broken}`, undefined, never), { fault: 'lab', message: /cannot be reached/ });
  await t.rejects(findCluster('no-such-name.invalid', undefined, never), {
    fault: 'lab',
    message: /name no-such-name\.invalid cannot be resolved/,
  });
});

t.test('addresses that no board or no other worker could reach are refused', async (t) => {
  const port = await listening(
    t,
    http.createServer((_, response) => response.end()),
  );
  await t.rejects(findCluster(`127.0.0.2:${port}`, undefined, never), { fault: 'usage', message: /127\.0\.0\.1, not/ });
  for (const address of ['fd00::1', 'example.org', '0.0.0.0', '300.1.1.1'])
    await t.rejects(findCluster(`127.0.0.1:${port}`, address, never), { fault: 'usage', message: /IPv4 address/ });
});
