import { once } from 'node:events';
import fs from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { ask, listenForRequests, type RequestHandler } from '../../../lab/standing/channel.ts';
import { usageFault } from '../../../lab/system/errors.ts';
import { removeFolder } from '../../support/files/remove.ts';

const never = new AbortController().signal;

/** A folder with a short path: those of sockets may be 107 bytes at most. */
const emptyFolder = async (test: Test): Promise<string> => {
  const folder = await fs.mkdtemp('/tmp/lab-test-');
  test.teardown(() => removeFolder(folder));
  return folder;
};

/** A lab's side of the channel in a folder of its own. */
const listening = async (test: Test, answering: RequestHandler) => {
  const folder = await emptyFolder(test);
  const server = await listenForRequests(folder, answering);
  test.teardown(() => server[Symbol.asyncDispose]());
  return folder;
};

t.test('an answer, and how far it was on the way', async (t) => {
  const said: string[] = [];
  const folder = await listening(t, async (request, { progress }) => {
    t.strictSame(request, { do: 'undeploy', service: 'x' });
    progress('half');
    return { service: 'x', tookMs: 1 };
  });
  const answer = await ask(folder, { do: 'undeploy', service: 'x' }, never, (text) => said.push(text));
  t.strictSame(answer, { service: 'x', tookMs: 1 });
  t.strictSame(said, ['half']);
});

t.test('an error keeps whose fault it is and what to do next', async (t) => {
  const folder = await listening(t, async () => {
    throw usageFault("no service 'x'", ['npm run lab -- ls']);
  });
  await t.rejects(ask(folder, { do: 'undeploy', service: 'x' }, never), {
    fault: 'usage',
    message: "no service 'x'",
    next: ['npm run lab -- ls'],
  });
});

t.test('what is no request, and what is no answer, is refused', async (t) => {
  const folder = await listening(t, async () => ({ service: 'not of an exec', tookMs: 1 }));
  await t.rejects(ask(folder, { do: 'exec', argv: ['true'] }, never), /the lab's answer: .*code/);
  const socket = net.connect(path.join(folder, 'control.sock'));
  socket.write('{"do":"fly"}\n');
  t.match(JSON.parse(await text(socket)), { trouble: { fault: 'lab', message: /^request: / } });
});

t.test('a lab is told that the process that asked has ended', async (t) => {
  const { promise: told, resolve } = Promise.withResolvers<void>();
  const { promise: asked, resolve: begin } = Promise.withResolvers<void>();
  const folder = await listening(t, async (_request, { signal }) => {
    begin();
    await once(signal, 'abort');
    resolve();
    throw signal.reason;
  });
  const leaving = new AbortController();
  const answer = ask(folder, { do: 'exec', argv: ['sleep', '1000'] }, leaving.signal);
  await asked;
  leaving.abort(new Error('interrupted'));
  await t.rejects(answer, /interrupted/);
  await told;
});

t.test('a lab that is gone is said to be', async (t) => {
  await t.rejects(ask(await emptyFolder(t), { do: 'status' }, never), {
    fault: 'lab',
    message: /^the lab ended before/,
  });
});
