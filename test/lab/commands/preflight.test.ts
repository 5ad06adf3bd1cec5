import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import t from 'tap';
import { boardFilesTrouble } from '../../../lab/commands/preflight/board-files.ts';
import { cacheFolder } from '../../../lab/commands/preflight/folders.ts';
import { namespaceTrouble } from '../../../lab/machine/local/namespaces.ts';
import { findProgram } from '../../../lab/system/programs.ts';
import { quote } from '../../../lab/system/quote.ts';
import { privateCache } from '../../support/files/private.ts';
import { removeFolder } from '../../support/files/remove.ts';
import { otherUser, withoutOtherUser } from '../../support/other-user.ts';
import { noNamespaces } from '../../support/user-namespace.ts';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const main = path.join(repository, 'lab/main.ts');
const skip = noNamespaces('-Urm') ?? false;

/** A folder that other users can enter, gone after the test. */
const folderFor = async (t: { teardown: (undo: () => Promise<void>) => void }): Promise<string> => {
  const folder = await fs.mkdtemp('/tmp/lab-test-');
  await fs.chmod(folder, 0o755);
  t.teardown(() => removeFolder(folder));
  return folder;
};

type Surroundings = { readonly mounts?: string; readonly env?: NodeJS.ProcessEnv; readonly user?: number };

/** Runs a lab with mounts of its own, or as another user. */
const labIn = async ({ mounts, env, user }: Surroundings, args: readonly string[]) => {
  const lab = [process.execPath, main, ...args];
  const command = mounts === undefined ? lab : ['unshare', '-Urm', 'sh', '-ec', `${mounts}\nexec "$@"`, 'sh', ...lab];
  const [file = '', ...rest] = command;
  const child = spawn(file, rest, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(user === undefined ? {} : { uid: user, gid: user }),
  });
  const code = new Promise((resolve) => child.once('exit', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await code, stdout, stderr };
};

t.test('what a run needs and is not there is said before the run, in a sentence', { skip }, async (t) => {
  const folder = await folderFor(t);
  const place = quote(folder);
  const file = path.join(folder, 'file');
  const run = ['scenario', 'bridged', '--machine', 'local'];
  const long = 'long'.repeat(20);
  const cases: readonly (readonly [Surroundings, readonly string[], RegExp])[] = [
    [
      { mounts: `mount -t tmpfs -o noexec t ${place}`, env: { XDG_CACHE_HOME: folder } },
      run,
      /^lab: cache folder: no program can be started from \S+: it is mounted noexec\n {2}export XDG_CACHE_HOME=/,
    ],
    [
      { mounts: `mount -t tmpfs -o ro t ${place}`, env: { XDG_CACHE_HOME: '', HOME: folder } },
      run,
      /^lab: cache folder: \S+ cannot be written: its file system is mounted read-only \(EROFS\)\n {2}export XDG_CACHE/,
    ],
    [
      { mounts: `mount -t tmpfs -o ro t ${place}` },
      [...run, '--reports', folder],
      /^lab: reports folder: \S+ cannot be written: its file system is mounted read-only \(EROFS\)\n {2}--reports /,
    ],
    [
      { mounts: `mount -t tmpfs -o size=4k t ${place} && echo >${quote(file)}` },
      ['suite', '--machine', 'local', '--reports', folder],
      /^lab: reports folder: \S+ cannot be written: no space is left on its file system \(ENOSPC\)/,
    ],
    [
      { mounts: `mount -t tmpfs t ${place} && echo >${quote(file)}` },
      [...run, '--reports', path.join(file, 'reports')],
      /^lab: reports folder: \S+ cannot be written: a part of that path is a file \(ENOTDIR\)/,
    ],
    [
      { mounts: `mount -t tmpfs -o size=200k t ${place}`, env: { TMPDIR: folder } },
      ['up'],
      /^lab: temporary files: only 0\.2 MB are free at \S+\n {2}export TMPDIR=/,
    ],
    // a path that is too long for sockets is passed over; a clone below /tmp would be covered
    ...(repository.startsWith('/tmp/')
      ? []
      : [
          [
            {
              mounts: `mount -t tmpfs t ${place} && mkdir ${place}/${long} && mount --bind ${place} /mnt && mount -t tmpfs -o ro t /tmp`,
              env: { TMPDIR: `/mnt/${long}` },
            },
            ['up'],
            /^lab: temporary files: \/tmp cannot be written: .*\(EROFS\)\n {2}export TMPDIR=.* and is not as long as \/mnt/,
          ] as const,
        ]),
    [
      { mounts: `mount -t tmpfs t ${place}`, env: { TMPDIR: 'here' } },
      ['up'],
      /^lab: temporary files: TMPDIR is 'here', which is not an absolute path\n {2}export TMPDIR=/,
    ],
    [
      { mounts: `mount -t tmpfs t ${place}`, env: { XDG_CACHE_HOME: 'x', HOME: 'y' } },
      ['image', 'build', 'debian'],
      /^lab: cache folder: HOME is 'y', which is not an absolute path\n {2}export XDG_CACHE_HOME=/,
    ],
  ];
  for (const [surroundings, args, message] of cases) {
    const { code, stdout, stderr } = await labIn(surroundings, args);
    t.equal(code, 3, args.join(' '));
    t.match(stderr, message);
    t.notMatch(stderr, /\n {4}at /, 'no stack');
    t.equal(stdout, '');
  }
});

t.test("somebody else's folder, and a user without an entry", { skip: withoutOtherUser() }, async (t) => {
  const [user, folder] = [otherUser, await folderFor(t)];
  await fs.mkdir(path.join(folder, 'theirs'));
  await fs.mkdir(path.join(folder, 'own'));
  await fs.chown(path.join(folder, 'own'), user, user);
  const env = { XDG_CACHE_HOME: path.join(folder, 'own') };
  const reports = ['--reports', path.join(folder, 'theirs')];
  const { code, stderr } = await labIn({ env, user }, ['scenario', 'bridged', '--machine', 'local', ...reports]);
  t.equal(code, 3);
  t.match(stderr, /reports folder: \S+ cannot be written: this user has no right to do that \(EACCES\)/);
  const doctor = await labIn({ env, user }, ['doctor', '--json']);
  t.match(JSON.parse(doctor.stdout), [
    { name: 'system', ok: true },
    { name: 'npm packages' },
    { name: 'KVM', ok: true },
    { name: 'cache folder', ok: true },
    { name: 'room for the cache' },
    { name: 'temporary files', ok: true },
    { name: 'reports folder' },
    { name: 'board files', ok: true },
    { name: 'proxy', ok: true },
    { name: 'Debian packages' },
    { name: 'wasmtime' },
    { name: 'namespaces' },
    { name: 'user', ok: true, detail: /user 54321 has no entry in the user database: ssh refuses to work/ },
    { name: 'ssh' },
  ]);
});

t.test('a relative XDG_CACHE_HOME is ignored, as its specification says', async (t) => {
  const home = await folderFor(t);
  const { stdout } = await labIn({ env: { XDG_CACHE_HOME: 'relative', HOME: home } }, ['doctor', '--json']);
  const checks: readonly { readonly name: string }[] = JSON.parse(stdout);
  t.match(
    checks.find(({ name }) => name === 'cache folder'),
    { ok: true, detail: /\/\.cache\/oakestra-wasm-lab; XDG_CACHE_HOME=relative is ignored/ },
  );
});

/** Copies what goes onto a board out of this checkout. */
const boardFilesIn = async (folder: string): Promise<void> => {
  for (const name of ['buildroot/overlay', 'buildroot/board', 'lab/image'])
    await fs.cp(path.join(repository, name), path.join(folder, name), { recursive: true, verbatimSymlinks: true });
};

t.test('what a checkout did to files that go onto a board is found', async (t) => {
  const folder = await folderFor(t);
  await boardFilesIn(folder);
  t.equal(await boardFilesTrouble(folder), undefined);
  const script = path.join(folder, 'buildroot/overlay/etc/init.d/S98netmanager');
  const original = await fs.readFile(script, 'utf8');
  await fs.writeFile(script, original.replaceAll('\n', '\r\n'));
  t.equal(
    await boardFilesTrouble(folder),
    'buildroot/overlay/etc/init.d/S98netmanager has the line endings of Windows',
  );
  await fs.writeFile(script, original);
  await fs.chmod(script, 0o644);
  t.match(await boardFilesTrouble(folder), /S98netmanager cannot be executed$/);
  await fs.chmod(script, 0o755);
  const link = path.join(folder, 'buildroot/overlay/etc/netmanager');
  const target = await fs.readlink(link);
  await fs.rm(link);
  await fs.writeFile(link, target);
  t.match(await boardFilesTrouble(folder), /etc\/netmanager is no symbolic link$/);
});

t.test('a clone with core.autocrlf has the line endings that a board needs', async (t) => {
  const [origin, clone] = [path.join(await folderFor(t), 'origin'), path.join(await folderFor(t), 'clone')];
  await boardFilesIn(origin);
  await fs.copyFile(path.join(repository, '.gitattributes'), path.join(origin, '.gitattributes'));
  await fs.cp(path.join(repository, 'fixtures/hello-wasi-http'), path.join(origin, 'fixtures'), { recursive: true });
  const author = ['-c', 'user.name=test', '-c', 'user.email=test@localhost', '-c', 'core.autocrlf=false'];
  await execa('git', ['init', '--quiet', origin]);
  await execa('git', ['-C', origin, 'add', '.']);
  await execa('git', ['-C', origin, ...author, 'commit', '--quiet', '-m', 'files']);
  await execa('git', ['clone', '--quiet', '-c', 'core.autocrlf=true', origin, clone]);
  t.equal(await boardFilesTrouble(clone), undefined);
  const wasm = 'fixtures/hello-wasi-http.wasm';
  t.ok((await fs.readFile(path.join(origin, wasm))).equals(await fs.readFile(path.join(clone, wasm))));
});

t.test('labs that have the same process number, in containers, do not meet in the cache', async (t) => {
  await using place = await privateCache([]);
  // another one's, who is writing there just now
  await fs.mkdir(path.join(place.cache, `.probe-${process.pid}`), { recursive: true });
  const look = () => cacheFolder.look({ reports: place.folder, signal: new AbortController().signal });
  for (const found of await Promise.all(Array.from({ length: 8 }, look))) t.match(found, { ok: true });
});

t.test('a folder that is gone, and a checkout that is not whole, are said in a sentence', async (t) => {
  const folder = await folderFor(t);
  // what a test runner loads first needs a folder
  const script = 'unset NODE_OPTIONS && rmdir "$PWD" && exec "$@"';
  const gone = await execa('sh', ['-c', script, 'sh', process.execPath, main, 'doctor'], {
    cwd: await fs.mkdtemp(path.join(folder, 'gone-')),
    reject: false,
  });
  t.equal(gone.exitCode, 3);
  t.equal(gone.stderr, 'lab: the folder in which it was started does not exist any more\n  cd /a/folder/that/exists');
  for (const [name, text, said] of [
    ['program.ts', "import './lost.ts';", /^lab: Cannot find module '\S+lost\.ts'.*\n {2}git status shows whether/],
    ['program.ts', "import 'lost';", /^lab: the npm package lost is not installed\n {2}npm run lab/],
    ['program.ts', "throw new TypeError('broken');", /^lab: broken\nTypeError: broken\n.*Please report it/s],
  ] as const) {
    const lab = path.join(folder, 'lab');
    await fs.cp(path.join(repository, 'lab'), lab, { recursive: true });
    await fs.symlink(path.join(repository, 'worker'), path.join(folder, 'worker')).catch(() => undefined);
    await fs.writeFile(path.join(lab, name), text);
    const { exitCode, stderr } = await execa(process.execPath, [path.join(lab, 'main.ts'), 'doctor'], {
      reject: false,
    });
    t.equal(exitCode, 3, stderr);
    t.match(stderr, said);
  }
});

t.test('programs are found by a PATH that leads below /tmp', { skip }, async (t) => {
  const folder = await folderFor(t);
  const programs = path.join(folder, 'bin');
  await fs.mkdir(programs);
  for (const name of ['sh', 'mount', 'unshare']) {
    const found = findProgram(name);
    if (found !== undefined) await fs.symlink(found, path.join(programs, name));
  }
  const before = process.env['PATH'];
  t.teardown(() => {
    process.env['PATH'] = before;
  });
  process.env['PATH'] = programs;
  t.equal(await namespaceTrouble(new AbortController().signal), undefined);
});
