import fs from 'node:fs/promises';
import http from 'node:http';
import t, { type Test } from 'tap';
import { hostKeyFile, saveMachine } from '../../../../lab/machine/hardware/definition.ts';
import { BoardShell } from '../../../../lab/machine/hardware/ssh/board-shell.ts';
import { Connection } from '../../../../lab/machine/hardware/ssh/connection.ts';
import { Relay } from '../../../../lab/machine/hardware/ssh/relay.ts';
import { openRun } from '../../../../lab/system/runs.ts';
import { until } from '../../../../lab/system/wait.ts';
import { privateCache } from '../../../support/files/private.ts';
import { skip } from './bench.ts';
import { type Computer, startComputer } from './computer.ts';

process.env['XDG_CONFIG_HOME'] = t.testdir();
const soon = () => AbortSignal.timeout(120_000);

/** A connection to a computer of its own. */
const connected = async (t: Test, options: { readonly patienceMs?: number } = {}) => {
  const stack = new AsyncDisposableStack();
  t.teardown(() => stack.disposeAsync());
  const place = stack.use(await privateCache());
  const computer: Computer = stack.use(await startComputer(place.folder));
  const run = stack.use(await openRun('a test'));
  saveMachine('bench', computer.definition);
  await fs.rm(hostKeyFile('bench'), { force: true });
  const open = () => Connection.open({ name: 'bench', definition: computer.definition, run, ...options }, soon());
  const connection = stack.use(await open());
  return { computer, connection, run, shell: new BoardShell(connection, run) };
};

t.test('commands and files by ssh', { skip }, async (t) => {
  const { connection, shell, computer } = await connected(t);

  await t.test('exit codes, signals, both outputs, input and environment', async (t) => {
    t.strictSame(await shell.exec(['sh', '-c', 'echo out; echo err >&2; exit 41']), {
      code: 41,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    t.equal((await shell.exec(['sh', '-c', 'exit 255'])).code, 255, "ssh's own exit code can be a program's");
    t.strictSame(await shell.exec(['cat'], { stdin: 'a\nbü\n' }), { code: 0, stdout: 'a\nbü\n', stderr: '' });
    t.equal((await shell.exec(['sh', '-c', 'echo "$X"'], { env: { X: "a'b c" } })).stdout, "a'b c\n");
    t.strictSame((await shell.exec(['printf', '%s.', "it's", '$(id)', '', '*', 'a\nb'])).stdout, "it's.$(id)..*.a\nb.");
    t.not((await shell.exec(['no-such-program'])).code, 0);
  });

  await t.test('many at once', async (t) => {
    const all = Array.from({ length: 20 }, (_unused, index) => shell.exec(['echo', String(index)]));
    t.strictSame(
      (await Promise.all(all)).map(({ stdout }) => stdout),
      all.map((_each, index) => `${index}\n`),
    );
  });

  await t.test('files go in and come out as they are', async (t) => {
    const bytes = Buffer.from(Array.from({ length: 200_001 }, (_unused, index) => (index * 7) % 256));
    await shell.writeFile("/tmp/a folder/it's new", bytes, 0o640);
    t.ok((await shell.readFile("/tmp/a folder/it's new")).equals(bytes));
    t.equal((await computer.look('stat', '-c', '%a', "/tmp/a folder/it's new")).trim(), '640');
    t.equal((await computer.look('ls', '/tmp/a folder')).trim(), "it's new", 'no other name is left');
    await t.rejects(shell.readFile('/tmp/none'), { message: /cannot read \/tmp\/none on the board/ });
    await t.rejects(shell.writeFile('/etc/x', 'x', 0o644), {
      fault: 'lab',
      message: /cannot write \/etc\/x.*Read-only/s,
    });
  });

  await t.test('an abort ends the program on the board with all that it started', async (t) => {
    const running = async () => (await computer.look('pgrep', '-c', '-f', '^sleep 54321')).trim();
    const abort = new AbortController();
    const command = shell.exec(['sh', '-c', 'sleep 54321 & sleep 54321 & wait'], { signal: abort.signal });
    const rejected = t.rejects(command, { message: 'enough' });
    await until(async () => ((await running()) === '2' ? true : undefined), soon());
    abort.abort(new Error('enough'));
    await rejected;
    await until(async () => ((await running()) === '0' ? true : undefined), soon());
  });

  await t.test('nothing secret is in an argument', async (t) => {
    const master = await fs
      .readFile('/proc/self/environ', 'latin1')
      .then(() => connection.session('true').args.join(' '));
    t.notMatch(master, /PRIVATE KEY/);
  });
});

t.test('the host key is taken once, and never another one', { skip }, async (t) => {
  const { computer, connection, run } = await connected(t);
  t.match(await fs.readFile(hostKeyFile('bench'), 'utf8'), /^bench ssh-ed25519 \S+/);
  await connection[Symbol.asyncDispose]();
  await computer.changeHostKey();
  const open = Connection.open({ name: 'bench', definition: computer.definition, run }, soon());
  await t.rejects(open, {
    ...{ fault: 'lab', trouble: 'other-key', message: /another host key than the one that was pinned/ },
    next: [/machine remove bench/],
  });
});

t.test('a board that was started anew is not the one that the run began on', { skip }, async (t) => {
  const { computer, connection, shell } = await connected(t);
  const script = 'echo another >/run/boot && mount --bind /run/boot /proc/sys/kernel/random/boot_id';
  await computer.look('sh', '-c', script);
  computer.drop();
  await until(() => connection.lost.aborted || undefined, soon());
  t.match(connection.lost.reason, { fault: 'lab', message: /^bench rebooted during the run$/ });
  await t.rejects(shell.exec(['true']), { fault: 'lab', message: /rebooted during the run/ });
});

t.test('a network that fails', { skip }, async (t) => {
  const { computer, connection, run, shell } = await connected(t, { patienceMs: 15_000 });
  const server = http.createServer((_request, response) => response.end('hello board'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  using relay = new Relay(
    connection,
    new BoardShell(connection, run).inside(['env', `PATH=${process.env['PATH']}`]),
    '127.0.0.2',
    (reason) => t.fail(reason.message),
  );
  await relay.publish(address.port, soon());
  const ask = async () => (await computer.look('curl', '-s', `http://127.0.0.2:${address.port}/`)) || undefined;
  t.equal(await ask(), 'hello board', 'the board reaches a port of this computer');

  await t.test('a relay that cannot run is no reason to wait', async (t) => {
    const lost = Promise.withResolvers<Error>();
    using broken = new Relay(connection, shell.inside(['/no/such/program']), '127.0.0.3', lost.resolve);
    await t.rejects(broken.publish(1, soon()), { fault: 'lab', message: /the relay on the board ended with 12[67]/ });
    t.match(await lost.promise, { fault: 'lab' });
  });

  await t.test('what is held up for a while arrives', async (t) => {
    computer.freeze();
    const command = shell.exec(['echo', 'late']);
    setImmediate(computer.thaw);
    t.equal((await command).stdout, 'late\n');
  });

  await t.test('a dropped connection is made again, with the ports that were reachable', async (t) => {
    const lost = t.rejects(shell.exec(['sleep', '1000']), {
      fault: 'lab',
      message: /the connection to bench dropped while/,
    });
    await until(async () => ((await computer.look('pgrep', '-f', '^sleep 1000')) ? true : undefined), soon());
    computer.drop();
    await lost;
    t.equal((await shell.exec(['echo', 'again'])).stdout, 'again\n');
    t.equal(await until(ask, soon()), 'hello board');
    t.notOk(connection.lost.aborted);
  });

  await t.test('a board that does not come back is gone, and the lab is at fault', async (t) => {
    await computer.refuse(true);
    await t.rejects(shell.exec(['true']), { fault: 'lab', message: /the connection to bench is lost.*no ssh answers/ });
    t.ok(connection.lost.aborted);
  });
});
