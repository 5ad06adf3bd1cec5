import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { until } from '../../lab/system/wait.ts';
import { caughtUp } from '../support/caught-up.ts';
import { otherUser, withoutOtherUser } from '../support/other-user.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Stands in for npm: notes its call, begins to install, and goes on when there is a file `go`. With a file `partial` it
 * reports success without the package, as npm does for an optional one that it could not get.
 */
const npm = `
const fs = require('node:fs');
const root = process.env.TEST_ROOT;
fs.appendFileSync(root + '/calls', process.argv.slice(2).join(' ') + '\\n');
fs.mkdirSync('node_modules/thing', { recursive: true });
fs.writeFileSync('node_modules/thing/half', '');
const poll = setInterval(() => {
  if (fs.existsSync(root + '/fail')) process.exit(7);
  if (!fs.existsSync(root + '/go')) return;
  if (fs.existsSync(root + '/partial')) fs.rmSync('node_modules/thing', { recursive: true });
  else fs.renameSync('node_modules/thing/half', 'node_modules/thing/package.json');
  fs.writeFileSync('node_modules/.package-lock.json', '{}');
  clearInterval(poll);
}, 10);
`;

type Setup = ChildProcess & { readonly said: () => string };

type Project = AsyncDisposable & {
  readonly checkout: string;
  readonly start: (set?: 'runtime' | 'development', env?: NodeJS.ProcessEnv) => Setup;
  readonly put: (name: string, content?: string) => Promise<void>;
  readonly take: (name: string) => Promise<void>;
  /** The calls of npm, as command lines. */
  readonly calls: () => Promise<readonly string[]>;
  /** How often npm was called. */
  readonly installs: () => Promise<number>;
  /** What lies in the checkout beside what was committed. */
  readonly made: () => Promise<readonly string[]>;
};

/** What the bootstrap imports. */
const modules = ['lab/system/files/file-lock.mjs', 'lab/system/files/installation.mjs'];

const lock = { packages: { '': {}, 'node_modules/thing': { version: '1.0.0' } } };

/** A checkout with nothing but the bootstrap script and what it reads. */
const project = async (): Promise<Project> => {
  const root = await fs.mkdtemp('/tmp/lab-test-');
  const checkout = path.join(root, 'checkout');
  for (const name of ['scripts/setup.mjs', ...modules, '.npmrc']) {
    await fs.mkdir(path.dirname(path.join(checkout, name)), { recursive: true });
    await fs.copyFile(path.join(repository, name), path.join(checkout, name));
  }
  await fs.writeFile(path.join(checkout, 'package.json'), '{}');
  await fs.writeFile(path.join(checkout, 'package-lock.json'), JSON.stringify(lock));
  await fs.writeFile(path.join(root, 'npm-cli.js'), npm);
  const committed = new Set(await fs.readdir(checkout));
  const env = { ...process.env, npm_execpath: path.join(root, 'npm-cli.js'), TEST_ROOT: root };
  const children: ChildProcess[] = [];
  const calls = async () =>
    (await fs.readFile(path.join(root, 'calls'), 'utf8').catch(() => '')).split('\n').slice(0, -1);
  return {
    checkout,
    start: (set = 'runtime', more = {}) => {
      const child = spawn(process.execPath, ['scripts/setup.mjs', set], {
        cwd: checkout,
        env: { ...env, ...more },
        stdio: ['ignore', 1, 'pipe'],
      });
      children.push(child);
      let text = '';
      child.stderr?.on('data', (chunk) => (text += String(chunk)));
      return Object.assign(child, { said: () => text });
    },
    put: (name, content = '') => fs.writeFile(path.join(root, name), content),
    take: (name) => fs.rm(path.join(root, name)),
    calls,
    installs: async () => (await calls()).length,
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

/** How a process ended; what it said is read by then. */
const exitOf = async (child: ChildProcess): Promise<number | null> => {
  const [code] = (await once(child, 'exit')) as [number | null];
  await caughtUp();
  return code;
};

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
  t.equal(await exitOf(next), 3);
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
  await made.put('checkout/package-lock.json', JSON.stringify({ ...lock, changed: true }));
  const stopped = made.start();
  await installing(made, 2);
  stopped.kill('SIGINT');
  t.equal(await exitOf(stopped), 3);
  t.match(stopped.said(), /the lock has changed[\s\S]*npm ci was ended by SIGINT/);
  t.strictSame(await made.made(), ['node_modules']);
});

t.test('what the user configured for npm leaves nothing out', async (t) => {
  await using made = await project();
  await made.put('go');
  t.equal(await exitOf(made.start('runtime', { NODE_ENV: 'production', npm_config_omit: 'optional' })), 0);
  t.equal(await exitOf(made.start('development', { NODE_ENV: 'production', npm_config_omit: 'dev' })), 0);
  t.match(await made.calls(), [
    /^ci --omit=dev --include=prod --include=optional --include=peer /,
    /^ci --include=dev --include=prod --include=optional --include=peer /,
  ]);
});

t.test('the development packages come when a command needs them, and stay', async (t) => {
  await using made = await project();
  await made.put('go');
  for (const set of ['runtime', 'runtime', 'development', 'runtime', 'development'] as const)
    t.equal(await exitOf(made.start(set)), 0);
  t.equal(await made.installs(), 2);
  await made.put('checkout/package-lock.json', JSON.stringify({ ...lock, changed: true }));
  t.equal(await exitOf(made.start('runtime')), 0);
  t.match((await made.calls()).at(-1), /--include=dev/);
});

t.test('an install that is not whole is no install', async (t) => {
  await using made = await project();
  await made.put('go');
  await made.put('partial');
  const partial = made.start();
  t.equal(await exitOf(partial), 3);
  t.match(partial.said(), /npm ci left out 1 locked packages, node_modules\/thing among them/);
  t.strictSame(await made.made(), []);
  await made.take('partial');
  t.equal(await exitOf(made.start()), 0);
  const damage: readonly (readonly [string, () => Promise<void>])[] = [
    ['thing is missing', () => fs.rm(path.join(made.checkout, 'node_modules/thing'), { recursive: true })],
    ['changed by hand', () => fs.writeFile(path.join(made.checkout, 'node_modules/.package-lock.json'), '{"a":1}')],
    ['did not end', () => fs.rm(path.join(made.checkout, 'node_modules/.lab-stamp'))],
  ];
  for (const [why, harm] of damage) {
    await harm();
    const healing = made.start();
    t.equal(await exitOf(healing), 0);
    t.match(healing.said(), new RegExp(`installing the locked packages \\(.*${why}\\)`));
  }
});

t.test('a checkout that cannot be written is said in a sentence', { skip: withoutOtherUser() }, async (t) => {
  await using made = await project();
  const scripts = path.join(made.checkout, 'scripts/setup.mjs');
  await fs.chmod(path.dirname(made.checkout), 0o755);
  await fs.chmod(made.checkout, 0o555);
  const { status, stderr } = spawnSync(process.execPath, [scripts, 'runtime'], {
    encoding: 'utf8',
    uid: otherUser,
    gid: otherUser,
  });
  await fs.chmod(made.checkout, 0o755);
  t.equal(status, 3);
  t.match(stderr, /^setup: cannot install into \S+ \(EACCES\): this user may not write there/);
});

t.test('a locked Node that may not run here is said, not passed over by another one on PATH', async (t) => {
  await using made = await project();
  await made.put('go');
  t.equal(await exitOf(made.start()), 0);
  const node = path.join(made.checkout, 'node_modules/.bin/node');
  await fs.mkdir(path.dirname(node), { recursive: true });
  await fs.writeFile(node, '', { mode: 0o644 }); // access(2) answers for a mount without exec as for this
  const later = made.start();
  t.equal(await exitOf(later), 3);
  t.match(
    later.said(),
    /^setup: programs in \S+ may not run: its file system is mounted noexec; use a clone elsewhere$/m,
  );
});
