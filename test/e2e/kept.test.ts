import { fileURLToPath } from 'node:url';
import t from 'tap';
import { labWorld } from '../support/lab.ts';
import { printedResults } from '../support/report.ts';

const greeter = fileURLToPath(new URL('../../fixtures/greeter-wasi-http/greeter-wasi-http.wasm', import.meta.url));
const task = 'lab.test.hello.test.instance.0';

t.test('a run whose answer is wrong fails, and its kept machine can be looked into', async (t) => {
  await using world = await labWorld();
  const app = ['--app', greeter, '--expect-body', 'something else'];
  const options = ['--duration', '2', '--json', '--keep', '--reports', world.reports];
  const ended = await world.run(['scenario', 'bridged', ...app, ...options]);

  await t.test('it says what was expected and what came, and whose fault that is', async (t) => {
    t.equal(ended.code, 1, { stderr: ended.stderr });
    const { results } = printedResults(ended.stdout);
    t.equal(results.verdict, 'failed');
    t.match(results.run.failure, {
      step: 'HTTP from the board',
      message: 'expected something else, got Another component.',
    });
    const step = results.steps.at(-1);
    t.match(step, { name: 'HTTP from the board', verdict: 'failed' });
    t.match(
      step?.expectations.find(({ name }) => name === 'body'),
      { expected: 'something else', actual: 'Another component.\n' },
    );
    t.match(
      results.run.failure?.packets?.lines.join('\n'),
      /10\.10\.0\.2\.80/,
      'what went to the instance was recorded',
    );
    t.match(ended.stderr, /something else[\s\S]*Another component/);
    t.match(ended.stderr, /lab -- shell/);
  });

  await t.test('exec runs programs there, with their own arguments and exit codes', async (t) => {
    const spaced = await world.run(['exec', 'printf', '%s|', 'a b', '$(id)', "it's", '--id']);
    t.match(spaced, { code: 0, stdout: "a b|$(id)|it's|--id|" });
    t.match(await world.run(['exec', 'sh', '-c', 'echo out; echo err >&2; exit 7']), {
      ...{ code: 7, stdout: 'out\n', stderr: 'err\n' },
    });
    t.match((await world.run(['exec', 'ip', 'netns', 'list'])).stdout, task);
    const inside = await world.run(['exec', '--instance', task, 'ip', '-brief', 'address']);
    t.match(inside.stdout, /10\.10\.0\.2\//);
    t.notMatch(inside.stdout, /goProxyBridge/);
    const unknown = await world.run(['exec', '--id', 'nothing', 'true']);
    t.equal(unknown.code, 64);
    t.match(unknown.stderr, /no kept machine nothing \(there are \S+\)/);
  });

  await t.test('shell gives a shell there, on the board and in the instance', async (t) => {
    const board = world.start(['shell']);
    await board.says(/Ctrl-\] leaves/);
    board.child.stdin?.write('echo on-$((6*7))-$(hostname)\n');
    await board.prints(/on-42-oakestra-virt/);
    board.child.stdin?.end('\u001d');
    t.equal((await board.ended).code, 0);

    const instance = world.start(['shell', '--instance', task]);
    await instance.says(/Ctrl-\] leaves/);
    instance.child.stdin?.write('ip -brief address\n');
    await instance.prints(/10\.10\.0\.2\D/);
    instance.child.stdin?.end('\u001d');
    t.equal((await instance.ended).code, 0);

    const again = world.start(['shell']);
    await again.says(/Ctrl-\] leaves/);
    again.child.stdin?.write('ip netns identify $$ | wc -w; echo whole\n');
    await again.prints(/\n0\r?\nwhole/);
    again.child.stdin?.end('\u001d');
    t.equal((await again.ended).code, 0, 'it is a new one, not what the last one left');
  });

  await t.test('it stays until it is told to go', async (t) => {
    t.match(await world.run(['clean']), { code: 0, stdout: /nothing to remove/ });
    t.match(await world.run(['clean', '--cache']), { stdout: /the cache stays: 1 machine/ });
    t.ok((await world.processes()).length > 0, 'it runs');
    t.match(await world.run(['clean', '--kept']), { code: 0, stdout: /ended the kept machine/ });
    t.strictSame(await world.processes(), []);
    t.strictSame(await world.leftovers(), []);
    const none = await world.run(['exec', 'true']);
    t.equal(none.code, 64);
    t.match(none.stderr, /no machine was kept/);
  });
});
