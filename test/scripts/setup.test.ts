import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { until } from '../../lab/system/wait.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** Stands in for npm: notes its call, begins to install, and goes on when there is a file `go`. */
const npm = `
const fs = require('node:fs');
const [root] = [process.env.TEST_ROOT];
fs.appendFileSync(root + '/calls', process.argv.slice(2).join(' ') + '\\n');
fs.mkdirSync('node_modules/thing', { recursive: true });
fs.writeFileSync('node_modules/thing/half', '');
const poll = setInterval(() => {
  if (fs.existsSync(root + '/fail')) process.exit(7);
  if (!fs.existsSync(root + '/go')) return;
  fs.renameSync('node_modules/thing/half', 'node_modules/thing/whole');
  clearInterval(poll);
}, 10);
`;

type Project = AsyncDisposable & {
  readonly start: () => ChildProcess & { readonly said: () => string };
  readonly put: (name: string, content?: string) => Promise<void>;
  readonly take: (name: string) => Promise<void>;
  /** How often npm was called. */
  readonly installs: () => Promise<number>;
  /** What lies in the checkout beside what was committed. */
  readonly made: () => Promise<readonly string[]>;
};

/** A checkout with nothing but the bootstrap script and what it reads. */
const project = async (): Promise<Project> => {
  const root = await fs.mkdtemp('/tmp/lab-test-');
  const checkout = path.join(root, 'checkout');
  for (const name of ['scripts/setup.mjs', 'lab/system/pid-lock.mjs', '.npmrc']) {
    await fs.mkdir(path.dirname(path.join(checkout, name)), { recursive: true });
    await fs.copyFile(path.join(repository, name), path.join(checkout, name));
  }
  for (const name of ['package.json', 'package-lock.json']) await fs.writeFile(path.join(checkout, name), '{}');
  await fs.writeFile(path.join(root, 'npm.js'), npm);
  const committed = new Set(await fs.readdir(checkout));
  const env = { ...process.env, npm_execpath: path.join(root, 'npm.js'), TEST_ROOT: root };
  const children: ChildProcess[] = [];
  return {
    start: () => {
      const child = spawn(process.execPath, ['scripts/setup.mjs'], {
        cwd: checkout,
        env,
        stdio: ['ignore', 1, 'pipe'],
      });
      children.push(child);
      let text = '';
      child.stderr?.on('data', (chunk) => (text += String(chunk)));
      return Object.assign(child, { said: () => text });
    },
    put: (name, content = '') => fs.writeFile(path.join(root, name), content),
    take: (name) => fs.rm(path.join(root, name)),
    installs: async () => {
      const calls = await fs.readFile(path.join(root, 'calls'), 'utf8').catch(() => '');
      return calls.split('\n').length - 1;
    },
    made: async () => (await fs.readdir(checkout)).filter((name) => !committed.has(name)),
    [Symbol.asyncDispose]: async () => {
      // an npm whose setup was killed ends by this file
      await fs.writeFile(path.join(root, 'fail'), '');
      for (const child of children) child.kill('SIGKILL');
      await fs.rm(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
};

const installing = (made: Project, calls: number) =>
  until(async () => (await made.installs()) >= calls || undefined, AbortSignal.timeout(60_000));

const exitOf = async (child: ChildProcess) => (await once(child, 'exit'))[0] as number | null;

t.test('of three at once one installs, the others wait, and later ones find everything there', async (t) => {
  await using made = await project();
  const all = [made.start(), made.start(), made.start()];
  const exits = Promise.all(all.map(exitOf));
  await installing(made, 1);
  await until(
    () => all.filter((child) => /waiting for/.test(child.said())).length === 2 || undefined,
    AbortSignal.timeout(60_000),
  );
  t.notOk((await made.made()).includes('node_modules'), 'nobody sees half of it');
  await made.put('go');
  t.strictSame(await exits, [0, 0, 0]);
  t.strictSame(await made.made(), ['node_modules']);
  t.equal(await exitOf(made.start()), 0);
  t.equal(await made.installs(), 1);
});

t.test('what a killed install left is removed by the next one', async (t) => {
  await using made = await project();
  const killed = made.start();
  await installing(made, 1);
  killed.kill('SIGKILL');
  await exitOf(killed);
  t.ok((await made.made()).some((name) => name.startsWith('.setup-stage-')));
  await made.put('fail');
  const next = made.start();
  t.equal(await exitOf(next), 1);
  t.match(next.said(), /npm ci failed with 7/);
  await made.take('fail');
  await made.put('go');
  t.equal(await exitOf(made.start()), 0);
  t.strictSame(await made.made(), ['node_modules']);
});

t.test('an interrupted install ends npm and leaves what was there before', async (t) => {
  await using made = await project();
  await made.put('go');
  t.equal(await exitOf(made.start()), 0);
  await made.take('go');
  await made.put('checkout/package-lock.json', '{ "changed": true }');
  const stopped = made.start();
  await installing(made, 2);
  stopped.kill('SIGINT');
  t.equal(await exitOf(stopped), 1);
  t.match(stopped.said(), /the lock has changed[\s\S]*npm ci was ended by SIGINT/);
  t.strictSame(await made.made(), ['node_modules']);
});
