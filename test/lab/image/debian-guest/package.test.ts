import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import t, { type Test } from 'tap';
import { startCluster } from '../../../../lab/cluster/cluster.ts';
import { fileEntry } from '../../../../lab/image/entries.ts';
import { type Contents, packageContents } from '../../../../lab/image/package/contents.ts';
import { debPackage } from '../../../../lab/image/package/deb.ts';
import type { Machine } from '../../../../lab/machine/machine.ts';
import { userNetwork } from '../../../../lab/machine/user-network.ts';
import { putCompiled } from '../../../../lab/scenario/services/worker.ts';
import { openRun } from '../../../../lab/system/runs.ts';
import { deadline, until } from '../../../../lab/system/wait.ts';
import { helloApp } from '../../../../lab/wasm/app.ts';
import { privateCache } from '../../../support/files/private.ts';
import { bootGuest, debianGuest, powerOff } from './guest.ts';

const skip = process.env['LAB_NIGHTLY'] ? false : 'set LAB_NIGHTLY=1 to boot a Debian guest with dpkg';
const timeout = 1_800_000;

const configuration = '/etc/oakestra/conf.json';
const tunnel = 'etc/oakestra/netmanager/tuncfg.json';
const units = ['oakestra-netmanager.service', 'oakestra-nodeengine.service'] as const;

const node = '/usr/lib/oakestra/bin/node';
/** Asks NetManager to register what it knows, and prints the status: its network stands when that is 200. */
const register = `
require("node:http").request({ socketPath: "/etc/netmanager/netmanager.sock", path: "/register", method: "POST" },
  (response) => process.stdout.write(String(response.statusCode))).on("error", () => {}).end(process.argv[1]);
`;

/** A version before: with a file that is no more, and other defaults. */
const before = (contents: Contents): Contents => ({
  ...contents,
  entries: [
    ...contents.entries.map((entry) =>
      [configuration.slice(1), tunnel].includes(entry.path) && entry.type === 'file'
        ? { ...entry, content: Buffer.from(`${JSON.stringify(JSON.parse(entry.content.toString()))}\n`) }
        : entry,
    ),
    fileEntry('usr/lib/oakestra/former', 'of the version before\n'),
  ],
});

/** Offers a file on a port of this computer's, to whoever connects. */
const offer = async (file: string): Promise<AsyncDisposable & { readonly port: number }> => {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    createReadStream(file).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return {
    port: (server.address() as net.AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
};

/** What an administrator does on the guest. */
const administrator = (machine: Machine, signal: AbortSignal) => {
  const shell = (script: string) => machine.exec(['bash', '-c', script], { signal, env: { LC_ALL: 'C.UTF-8' } });
  const told = async (script: string): Promise<string> => {
    const { code, stdout, stderr } = await shell(script);
    if (code !== 0) throw new Error(`'${script}' ended with ${code}: ${stdout}${stderr}`);
    return stdout.trim();
  };
  return {
    shell,
    told,
    receive: async (file: string): Promise<string> => {
      await using offered = await offer(file);
      const target = `/root/${path.basename(file)}`;
      await told(`cat </dev/tcp/${userNetwork.lab}/${offered.port} >${target}`);
      return target;
    },
    /** All that a package could leave behind; what the system itself writes by and by is left out. */
    footprint: async (): Promise<Readonly<Record<string, string>>> => {
      const own = ['/root', '/tmp', '/var/tmp', '/var/log/journal', '/var/lib/systemd', '/var/lib/dpkg', '/var/cache'];
      const pruned = own.map((folder) => `-path ${folder} -prune -o`).join(' ');
      return {
        files: await told(`find / -xdev ${pruned} -print | sort`),
        run: await told(`find /run -xdev | grep -E 'oakestra|netmanager|/run/netns/.' || true`),
        users: await told('cat /etc/passwd /etc/group /etc/shadow'),
        // the kernel makes sit0 with the module of the overlay's links, and keeps it as long as that is loaded
        links: await told('ip -o link | cut -d: -f2 | grep -v sit0'),
        routes: (await told('ip route; ip -6 route')).replaceAll(/ expires \d+sec/g, ''),
        rules: await told('nft list ruleset'),
        receivers: await told('ip fou show 2>/dev/null || true'),
        namespaces: await told('ip netns list'),
        units: await told(`systemctl list-units --all --plain --no-legend 'oakestra*'`),
        processes: await told(`pgrep -a 'node|wasmtime' || true`),
        groups: await told('ls -d /sys/fs/cgroup/oakestra 2>/dev/null || true'),
        settings: await told('cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding'),
      };
    },
  };
};

type Administrator = ReturnType<typeof administrator>;

t.test('a package on a booted Debian for arm64, with dpkg and systemd', { skip, timeout }, async (t) => {
  const signal = AbortSignal.timeout(timeout);
  const soon = (what: string) => deadline(300_000, what, signal);
  await using stack = new AsyncDisposableStack();
  stack.use(await privateCache());
  const run = stack.use(await openRun('a Debian guest'));
  const contents = await packageContents('aarch64', run.folder, signal);
  const deb = async (version: string, inside: Contents): Promise<string> => {
    const file = path.join(run.folder, `oakestra-worker_${version}_arm64.deb`);
    await writeFile(file, await debPackage({ version, architecture: 'arm64' }, inside));
    return file;
  };
  const [older, newer] = [await deb('1.0.0', before(contents)), await deb('1.1.0', contents)];
  const { image, card } = await debianGuest(run, signal);
  const subnet = { address: '10.10.0.0', addressv6: 'fc00::100' };
  const cluster = stack.use(await startCluster({ listen: '127.0.0.1', advertise: userNetwork.lab, subnet, signal }));
  const app = await helloApp();
  const url = cluster.publishArtifact(app.name, app.bytes);

  /** Boots the guest for as long as `use` takes. */
  const booted = async (test: Test, use: (machine: Machine, admin: Administrator) => Promise<void>) => {
    await using machine = await bootGuest(image, card, run, signal);
    const admin = administrator(machine, signal);
    try {
      test.equal(await admin.told('systemctl is-system-running --wait'), 'running', 'the guest itself is whole');
      await admin.told('/usr/lib/systemd/systemd-networkd-wait-online --timeout=60');
      await use(machine, admin);
    } finally {
      if (!test.passing() && !machine.lost.aborted)
        test.comment((await admin.shell('journalctl -b --no-pager -u "oakestra*" | tail -80')).stdout);
    }
    await powerOff(machine, signal);
  };
  const statusOf = async ({ told }: Administrator): Promise<unknown> => JSON.parse(await told('NetManager --status'));
  /** Resolves when a cluster's orders reach the engine, and find a network. */
  const ready = async (admin: Administrator): Promise<void> => {
    const ends = soon('the worker');
    await cluster.networkReady(ends);
    const { id: client_id } = await cluster.registered(ends);
    const { address: cluster_address, registrationPort: cluster_port, brokerPort: broker_port } = cluster;
    const known = JSON.stringify({ client_id, cluster_address, cluster_port, broker_port });
    const agrees = async () => (await admin.shell(`${node} -e '${register}' '${known}'`)).stdout === '200';
    await until(async () => (await agrees()) || undefined, ends);
  };
  /** Deploys an instance, and resolves when it answers on this port of the board. */
  const serving = async (test: Test, machine: Machine, instance: number, port: number) => {
    const job = { service: 'app.of.package.test', instance, image: url, port: `${port}:80`, memory: 100 };
    const deployment = cluster.deploy(job);
    await deployment.status('CREATED', soon('the instance'));
    const { host, port: here } = await machine.forward(port, signal);
    const answers = async () => (await fetch(`http://${host}:${here}/`, { signal })).text();
    test.equal(await answers(), app.body, `instance ${instance} answers`);
    return { deployment, answers };
  };
  let clean: Readonly<Record<string, string>> = {};

  await t.test('is installed, serves, and is upgraded under a running instance', (t) =>
    booted(t, async (machine, admin) => {
      const { told, shell } = admin;
      const [first, second] = [await admin.receive(older), await admin.receive(newer)];
      clean = await admin.footprint();

      t.match(await told(`dpkg --install ${first}`), /name your cluster in \/etc\/oakestra\/conf\.json/);
      t.equal(await told('dpkg --print-architecture'), 'arm64');
      t.equal(await told(`systemctl is-enabled ${units.join(' ')}`), 'enabled\nenabled');
      t.equal(await told('dpkg --verify oakestra-worker'), '', 'as it was packed');

      const written: unknown = JSON.parse(await told(`cat ${configuration}`));
      const changed = { cluster_address: cluster.address, cluster_port: cluster.registrationPort };
      const own = { ...(written as object), ...changed, allowed_local_hosts: [cluster.address] };
      await machine.writeFile(configuration, `${JSON.stringify(own, undefined, 2)}\n`, 0o600);
      await told(`systemctl restart ${units.join(' ')}`);
      await ready(admin);
      t.match(await statusOf(admin), { subnet, overlay: { state: 'on' } });
      await putCompiled(machine, app, image.wasmtimeVersion, signal);
      const { answers } = await serving(t, machine, 0, 8080);
      const process = await told('pgrep -x wasmtime');

      const { code, stdout, stderr } = await shell(`dpkg --install ${second} </dev/null`);
      t.not(code, 0, 'nobody is asked which of two configurations is to be, and none is lost');
      t.match(stdout + stderr, /conffile prompt/);
      await told(`dpkg --force-confdef --force-confold --install ${second} </dev/null`);
      t.equal(
        await told(`dpkg-query --show --showformat '\${Version} \${db:Status-Status}' oakestra-worker`),
        '1.1.0 installed',
      );
      t.same(JSON.parse(await told(`cat ${configuration}`)), own, 'what the administrator wrote is kept');
      t.same(JSON.parse(await told(`cat ${configuration}.dpkg-dist`)), written, 'beside it lies the new one');
      t.match(await told(`cat /${tunnel}`), /\n {2}"/, 'what nobody changed is the new one');
      t.match(await shell('ls /usr/lib/oakestra/former'), { code: 2 }, 'what is no more is gone');
      t.equal(await told('pgrep -x wasmtime'), process, 'the instance is the same process');
      t.equal(await answers(), app.body, 'and answers');
      await ready(admin);
      const { deployment } = await serving(t, machine, 1, 8081);
      await deployment.undeploy(soon('the removal'));
    }),
  );

  if (!t.passing()) return;
  await t.test('is ready again after a reboot, becomes one process, and is purged with all that it made', (t) =>
    booted(t, async (machine, admin) => {
      const { told, shell } = admin;
      await ready(admin);
      t.equal(await told(`systemctl is-active ${units.join(' ')}`), 'active\nactive');
      const { answers } = await serving(t, machine, 2, 8082);
      t.match(await told('ip netns list'), /app\.of\.package\.test\.instance\.2/);

      const net = JSON.parse(await told('cat /etc/netmanager/netcfg.json')) as object;
      await machine.writeFile('/etc/netmanager/netcfg.json', JSON.stringify({ ...net, InNodeEngine: true }), 0o600);
      await told(`systemctl restart ${units.join(' ')}`);
      await ready(admin);
      t.match(await shell(`systemctl is-active ${units.join(' ')}`), { stdout: 'inactive\nactive\n' });
      t.match(await told('pgrep -fa oakestra/.*cjs'), /^\d+ \S*node .*\/one-process\.cjs$/, 'one process is both');
      t.equal(await answers(), app.body, 'the instance goes on');

      const { changed } = JSON.parse(await told('cat /var/lib/oakestra/netmanager/journal.json')) as {
        changed: object;
      };
      t.match(changed, { 'net/ipv4/ip_forward': { was: '0' } }, 'it knows what it changed');
      await told('dpkg --remove oakestra-worker');
      t.match(await shell(`ls ${configuration} /usr/lib/oakestra`), { code: 2, stdout: `${configuration}\n` });
      t.equal(await told('ip netns list'), '', 'the instance has gone with its network');
      await told('dpkg --purge oakestra-worker');
      t.match(await shell('dpkg --status oakestra-worker'), { code: 1 });
      for (const [what, now] of Object.entries(await admin.footprint()))
        t.equal(now, clean[what], `nothing of ${what} is left`);
    }),
  );
  t.same(cluster.violations, []);
});
