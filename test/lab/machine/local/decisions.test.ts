import fc from 'fast-check';
import t from 'tap';
import { remedies } from '../../../../lab/machine/local/namespaces.ts';
import { boardRoot } from '../../../../lab/machine/local/root.ts';
import { explainOutput, loggedTroubles, troublesOf } from '../../../../lab/machine/troubles.ts';
import { parseTicks } from '../../../../lab/scenario/board/cpu.ts';

t.test('a computer that forbids namespaces is told the setting', async (t) => {
  const of = (values: Readonly<Record<string, string>>) => remedies((key) => values[key]);
  t.strictSame(of({ 'kernel.apparmor_restrict_unprivileged_userns': '1', 'user.max_user_namespaces': '1000' }), [
    'sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0',
  ]);
  t.strictSame(of({ 'kernel.unprivileged_userns_clone': '0', 'user.max_user_namespaces': '0' }), [
    'sudo sysctl kernel.unprivileged_userns_clone=1',
    'sudo sysctl user.max_user_namespaces=15000',
  ]);
  t.match(of({})[0], /container/);
});

t.test("a board's root has its own files, and links to this computer's", async (t) => {
  const { entries, binds } = await boardRoot(import.meta.dirname, { node: '/n', wasmtime: '/w' }, ['/a/cache']);
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  t.equal(byPath.size, entries.length, 'no path twice');
  t.equal(byPath.get('usr/lib/oakestra/service.sh')?.type, 'file');
  t.equal(byPath.get('etc/oakestra/conf.json')?.type, 'file');
  t.equal(byPath.get('usr/bin/node')?.type, 'file', 'a place to mount Node on, not a link that would be followed');
  t.match(byPath.get('usr/bin/env')?.linkname, '/host/usr/bin/env');
  t.match(binds.at(-1), ['/a/cache', 'a/cache']);
  const writable = entries.filter(({ type, linkname }) => type === 'symlink' && linkname.startsWith('/host/'));
  t.notOk(
    writable.some(({ path }) => /^(var|run|tmp|root|etc\/oakestra)(\/|$)/.test(path)),
    'nothing that a worker writes to is a link',
  );
});

t.test('known troubles are told by what a board has', async (t) => {
  const link = (ifname: string, master?: string) => ({
    ifname,
    ...(master === undefined ? {} : { master }),
    addr_info: [{ family: 'inet', local: '10.0.0.1', prefixlen: 24 }],
  });
  t.strictSame(troublesOf({ links: [link('lo'), link('eth0')], namespaces: ['lab.test'] }), []);
  const [port] = troublesOf({ links: [link('veth9', 'br9')], namespaces: [] });
  t.strictSame(port?.remedy, ['ip address delete 10.0.0.1/24 dev veth9']);
  const [left] = troublesOf({ links: [link('veth-host'), link('veth-ns')], namespaces: ['mytestns'] });
  t.strictSame(left?.remedy, ['ip link delete veth-host', 'ip netns delete mytestns']);
});

t.test('known troubles are told by what a command printed', async (t) => {
  t.match(explainOutput('RTNETLINK answers: File exists\n')?.name, /before/);
  t.match(explainOutput('curl: (7) Failed to connect: No route to host')?.name, /two networks/);
  t.match(explainOutput("error: unexpected argument '-t' found")?.remedy[0], /--addr/);
  t.equal(explainOutput('all is well'), undefined);
  const [flag, ...others] = loggedTroubles(
    "/tmp/serve.log:error: unexpected argument '-t' found\n/tmp/x.log:unexpected argument '--port'\n",
  );
  t.match(flag, { name: /-tcplisten/, detail: /serve\.log/ });
  t.strictSame(others, []);
});

t.test('CPU time is read whatever a process is called', async (t) => {
  const name = fc.string({ unit: 'grapheme-ascii', maxLength: 15 }).filter((text) => !text.includes('\n'));
  const ticks = fc.nat({ max: 1e6 });
  fc.assert(
    fc.property(fc.nat(), name, ticks, ticks, (pid, comm, user, system) => {
      const stat = `${pid} (${comm}) S 1 1 1 0 -1 0 0 0 0 0 ${user} ${system} 0 0 20 0 1 0 5 0 0`;
      const read = parseTicks(`100\ncpu  1 2 3 4 5 6 7 0 0 0\n${stat}\n`);
      t.strictSame(read.processes.get(pid), { user, system });
      t.equal(read.interrupts, 13);
    }),
    { seed: 7, numRuns: 200 },
  );
});
