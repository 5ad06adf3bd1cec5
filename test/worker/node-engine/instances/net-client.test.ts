import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { deadline } from '../../../../lab/system/wait.ts';
import { NetClient } from '../../../../worker/node-engine/instances/network/net-client.ts';
import type { Log } from '../../../../worker/system/log.ts';
import { until } from '../support/until.ts';

const cluster = { host: '127.0.0.1', port: 10_100, brokerPort: 10_003 };

/** The longest path of a socket is shorter than a test's own folder may be. */
const folder = mkdtempSync(join(tmpdir(), 'net-client-'));
t.teardown(() => rmSync(folder, { recursive: true }));

const quiet = (warnings: string[]): Log => ({
  debug: () => {},
  info: () => {},
  warn: (text) => void warnings.push(text),
  error: (text) => void warnings.push(text),
});

t.test('a NetManager that starts a moment after the engine is waited for without a word', async (t) => {
  const socketPath = join(folder, 'late');
  const warnings: string[] = [];
  const signal = deadline(60_000, 'the registration');
  const registered = new NetClient({ socketPath }, quiet(warnings)).register('a', cluster, undefined, signal);
  const server = createServer((_, response) => response.end());
  t.teardown(() => server.close());
  await once(server.listen(socketPath), 'listening');
  await registered;
  t.strictSame(warnings, []);
});

t.test('one that stays away is told', async (t) => {
  const socketPath = join(folder, 'away');
  const warnings: string[] = [];
  const stopping = new AbortController();
  const registering = new NetClient({ socketPath }, quiet(warnings)).register('a', cluster, undefined, stopping.signal);
  await until(async () => warnings.length > 0, 'a warning', deadline(60_000, 'a warning'));
  t.match(warnings[0], /NetManager at .* does not answer; is it running\?.*; trying again/);
  stopping.abort();
  await t.rejects(registering);
});

t.test('a refusal is told at once', async (t) => {
  const socketPath = join(folder, 'refusing');
  const warnings: string[] = [];
  const answers = [503, 200];
  const server = createServer((_, response) => response.writeHead(answers.shift() ?? 200).end('no addresses yet'));
  t.teardown(() => server.close());
  await once(server.listen(socketPath), 'listening');
  const client = new NetClient({ socketPath }, quiet(warnings));
  await client.register('a', cluster, undefined, deadline(60_000, 'the registration'));
  t.match(warnings, [/503.*no addresses yet.*trying again/]);
});
