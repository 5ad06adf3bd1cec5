import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { fileEntry } from '../../../lab/image/entries.ts';
import { plainPackage } from '../../../lab/image/package/archive.ts';
import { packageContents } from '../../../lab/image/package/contents.ts';
import { debPackage } from '../../../lab/image/package/deb.ts';

const execute = promisify(execFile);
const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

/**
 * A computer like this one that forgets what is done to it, in namespaces: `script` runs there, with the packages in
 * /packages, and what systemd and other workers run here is not seen.
 */
const world = `
set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" none "$1/root"
cd "$1/root"
rm -rf etc/netmanager etc/oakestra var/*/oakestra
mkdir -p packages
mount --rbind "$2" packages
mount -t tmpfs none run
mount -t proc none proc
mount --rbind /dev dev
mount -t sysfs none sys
exec chroot . sh -c "$3"
`;

const namespaces = ['--mount', '--net', '--pid', '--fork'];

const lacking = (): string | false => {
  if (process.getuid?.() !== 0) return 'dpkg has to write files of this computer: only root sees them as its own';
  if (spawnSync('/usr/bin/dpkg', ['--version']).status !== 0) return 'there is no dpkg here';
  const tried = spawnSync('unshare', [...namespaces, 'sh', '-c', world, 'world', '/mnt', '/mnt', 'true']);
  return tried.status === 0 ? false : `this computer cannot be copied over: ${tried.stderr}`;
};

const list = 'find /etc /usr /run /var/*/oakestra -xdev 2>/dev/null | sort';

t.test('the same contents give the same bytes', async (t) => {
  const contents = { entries: [fileEntry('usr/bin/worker', 'one', 0o755)], conffiles: [], scripts: [] };
  const name = { version: '1.0.0', architecture: 'arm64' } as const;
  for (const make of [debPackage, plainPackage]) {
    const [one, two] = [await make(name, contents), await make(name, contents)];
    t.ok(two.equals(one));
  }
});

t.test('a package installs, is upgraded and is purged', { skip: lacking() }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'package-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const contents = await packageContents(machine, folder, AbortSignal.timeout(600_000));
  const deb = async (version: string): Promise<string> => {
    await writeFile(join(folder, `${version}.deb`), await debPackage({ version, architecture }, contents));
    return `dpkg --force-depends --install /packages/${version}.deb 2>&1`;
  };
  const [install, upgrade] = [await deb('1.0.0'), await deb('1.1.0')];
  await writeFile(join(folder, 'worker.tar.gz'), await plainPackage({ version: '1.0.0', architecture }, contents));
  const place = await mkdtemp(join(tmpdir(), 'package-root-'));
  t.teardown(() => rm(place, { recursive: true, force: true }));
  const inside = async (script: string) => {
    const words = [...namespaces, 'sh', '-c', world, 'world', place, folder, `set -e\n${script}`];
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    return await execute('unshare', words, { env }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
    );
  };

  await t.test('by dpkg', async (t) => {
    const { code, stdout, stderr } = await inside(`
      ${list} >/before
      ${install}
      NetManager --help | head -1
      PATH=/usr/lib/oakestra/bin:$PATH wasmtime --version
      stat -c '%a %n' /etc/oakestra /etc/oakestra/conf.json
      dpkg --verify oakestra-worker && echo as packed
      sed -i 's/0.0.0.0/10.9.8.7/' /etc/oakestra/conf.json
      ip link add goProxyBridge type bridge
      ${upgrade}
      grep cluster_address /etc/oakestra/conf.json
      mkdir -p /var/lib/oakestra && touch /var/lib/oakestra/state
      dpkg --remove oakestra-worker
      test -e /etc/oakestra/conf.json && echo configuration kept
      dpkg --purge oakestra-worker
      ${list} >/after
      diff /before /after && echo nothing left`);
    t.equal(code, 0, `${stdout}${stderr}`);
    t.match(stdout, /name your cluster in \/etc\/oakestra\/conf\.json/);
    t.match(stdout, /NetManager: the network/);
    t.match(stdout, /wasmtime \d+\.\d+\.\d+/);
    t.match(stdout, '700 /etc/oakestra\n600 /etc/oakestra/conf.json\n');
    t.match(stdout, 'as packed');
    t.match(stdout, '"cluster_address": "10.9.8.7"', 'what the administrator changed is kept');
    t.match(stdout, 'configuration kept');
    t.match(stdout, 'nothing left');
  });

  await t.test('it does not fight with another worker', async (t) => {
    for (const [other, named] of [
      ['mkdir /etc/netmanager', '/etc/netmanager is the configuration of another NetManager'],
      ['printf other >/usr/bin/NodeEngine', '/usr/bin/NodeEngine belongs to another Oakestra worker'],
      ['ip link add goProxyBridge type bridge', 'the network device goProxyBridge belongs to a NetManager that runs'],
    ] as const) {
      const { code, stdout } = await inside(`${other}\n${install} || { test ! -e /usr/lib/oakestra && exit 7; }`);
      t.equal(code, 7, stdout);
      t.match(stdout, named);
    }
  });

  await t.test('by its own script, where there is no dpkg and no systemd', async (t) => {
    const { code, stdout, stderr } = await inside(`
      rm /usr/bin/systemctl
      cd /tmp && tar -xf /packages/worker.tar.gz && cd oakestra-worker-*
      ${list} >/before
      ./install
      NodeEngine --help | head -1
      sed -i 's/0.0.0.0/10.9.8.7/' /etc/oakestra/conf.json
      ip link add goProxyBridge type bridge
      ./install
      grep -h cluster_address /etc/oakestra/conf.json /etc/oakestra/conf.json.new
      ls /etc/init.d/S9*
      ip link delete goProxyBridge
      ./install --remove
      ls -d /etc/oakestra /usr/lib/oakestra 2>&1 || true
      ./install
      ./install --purge
      ${list} >/after
      diff /before /after && echo nothing left`);
    t.equal(code, 0, `${stdout}${stderr}`);
    t.match(stdout, /oakestra-worker 1\.0\.0 is installed/);
    t.match(stdout, /Usage: NodeEngine/);
    t.match(stdout, '"10.9.8.7",\n  "cluster_address": "0.0.0.0"', 'both are there to compare');
    t.match(stdout, '/etc/init.d/S98netmanager\n/etc/init.d/S99nodeengine');
    t.match(stdout, '/etc/oakestra\n');
    t.match(stdout, 'nothing left');
  });
});
