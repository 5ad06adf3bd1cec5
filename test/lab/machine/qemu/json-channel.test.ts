import { once } from 'node:events';
import fs from 'node:fs/promises';
import net from 'node:net';
import { createInterface } from 'node:readline';
import t from 'tap';
import { JsonChannel } from '../../../../lab/machine/qemu/json-channel.ts';

type Request = { readonly execute: string; readonly id: number };

/** A channel to an emulator of which `answer` says what it sends for each request; `push` is told of empty lines. */
const channelTo = async (answer: (request: Request, socket: net.Socket) => void, push = () => {}) => {
  await using stack = new AsyncDisposableStack();
  const folder = await fs.mkdtemp('/tmp/lab-channel-');
  stack.defer(() => fs.rm(folder, { recursive: true }));
  const server = net.createServer((socket) => {
    createInterface({ input: socket }).on('line', (line) => {
      if (line === '') push();
      else answer(JSON.parse(line) as Request, socket);
    });
  });
  server.listen(`${folder}/socket`);
  await once(server, 'listening');
  stack.defer(() => void server.close());
  const channel = stack.use(await JsonChannel.open(`${folder}/socket`));
  const resources = stack.move();
  return { channel, [Symbol.asyncDispose]: () => resources.disposeAsync() };
};

t.test('one request at a time, in the order they came', async (t) => {
  let waiting = 0;
  await using emulator = await channelTo(({ execute, id }, socket) => {
    t.equal(++waiting, 1, `${execute} comes alone`);
    setImmediate(() => {
      waiting--;
      socket.write(`{"event": "something", "timestamp": {}}\n{"return": "${execute}", "id": ${id}}\n`);
    });
  });
  const names = ['a', 'b', 'c', 'd'];
  t.strictSame(await Promise.all(names.map((name) => emulator.channel.request(name))), names);
});

t.test('a request that got stuck on its way is pushed on', async (t) => {
  const stuck: (() => void)[] = [];
  await using emulator = await channelTo(
    ({ execute, id }, socket) => {
      stuck.push(() => socket.write(`{"return": "${execute}", "id": ${id}}\n`));
    },
    () => stuck.shift()?.(),
  );
  t.equal(await emulator.channel.request('a'), 'a');
  t.equal(await emulator.channel.request('b'), 'b');
});

t.test('a refusal, even one without an id, is the answer to its request', async (t) => {
  await using emulator = await channelTo(({ execute, id }, socket) => {
    const error = '"error": {"class": "GenericError", "desc": "no"}';
    if (execute === 'readable') socket.write(`{${error}, "id": ${id}}\n`);
    else if (execute === 'unreadable') socket.write(`{${error}}\n`);
    else socket.write(`{"return": {}, "id": ${id}}\n`);
  });
  await t.rejects(emulator.channel.request('readable'), { name: 'AgentError', message: 'no' });
  await t.rejects(emulator.channel.request('unreadable'), { name: 'AgentError', message: 'no' });
  t.strictSame(await emulator.channel.request('fine'), {});
});

t.test('an emulator that goes away leaves nobody waiting', async (t) => {
  await using emulator = await channelTo((_request, socket) => socket.destroy());
  const requests = ['a', 'b'].map((name) => emulator.channel.request(name));
  for (const request of requests) await t.rejects(request, { message: /the channel to the emulator (was|is) closed/ });
  await t.rejects(emulator.channel.request('c'), { message: /closed/ });
});

t.test('an interrupted wait ends at once', async (t) => {
  await using emulator = await channelTo(() => {});
  const interruption = new AbortController();
  const request = emulator.channel.request('a', {}, interruption.signal);
  interruption.abort(new Error('enough'));
  await t.rejects(request, { message: 'enough' });
});
