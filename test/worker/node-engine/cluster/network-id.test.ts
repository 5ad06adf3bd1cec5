import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { followWith, type Membership } from '../../../../worker/node-engine/instances/network/membership.ts';
import { NetClient } from '../../../../worker/node-engine/instances/network/net-client.ts';
import { until } from '../support/until.ts';

t.test('an id that cannot be written is told NetManager all the same, said once, and written later', async (t) => {
  const said: string[] = [];
  const line = (words: string) => void said.push(words);
  const log = { debug: line, info: line, warn: line, error: line };
  const asked: Record<string, unknown>[] = [];
  const server = createServer(async (request, response) => {
    asked.push(JSON.parse(await text(request)) as Record<string, unknown>);
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  t.teardown(() => server.close());
  let isFull = true;
  const written: string[] = [];
  const membership: Membership = {
    read: async () => 'former',
    write: async (id) => {
      if (isFull) throw new Error('ENOSPC: no space left on device');
      written.push(id);
    },
  };
  const over = new AbortController();
  const cluster = { host: '127.0.0.1', port: 10_000, secure: false };
  const follow = followWith(new NetClient({ host: '127.0.0.1', port }, log), membership, cluster, log, over.signal, 10);
  follow('present', 1883);
  await until(async () => asked.length >= 4, 'several registrations', AbortSignal.timeout(10_000));
  t.match(asked[0], { client_id: 'present', former_id: 'former' });
  t.notMatch(asked[2], { former_id: 'former' }, 'NetManager has taken it');
  t.same(said, ['ENOSPC: no space left on device']);
  isFull = false;
  await until(async () => written.length > 0, 'the id on disk', AbortSignal.timeout(10_000));
  const before = asked.length;
  await until(async () => asked.length >= before + 2, 'further registrations', AbortSignal.timeout(10_000));
  t.same(written, ['present']);
  over.abort(new Error('the test is over'));
});
