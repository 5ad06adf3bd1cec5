import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import t from 'tap';
import Type from 'typebox';
import { getOverHttp } from '../../../lab/scenario/targets/get.ts';
import { LabStatus } from '../../../lab/standing/protocol.ts';
import { identityOf } from '../../../lab/system/identity.ts';
import { until } from '../../../lab/system/wait.ts';
import { parseJson } from '../../../worker/contract/check.ts';
import { withoutLocal } from '../../scenarios/local/local.ts';
import { labWorld } from '../../support/lab.ts';

const skip = withoutLocal();
const fixture = (name: string) => fileURLToPath(new URL(`../../../fixtures/${name}/${name}.wasm`, import.meta.url));
const hello = 'Hello, wasi:http/proxy world!\n';
const greeting = 'Another component.\n';
const Listed = Type.Object({ labs: Type.Array(LabStatus), ended: Type.Array(Type.Unknown()) });

const world = await labWorld();
t.teardown(() => world[Symbol.asyncDispose]());
const bodyAt = async (url: string) => (await getOverHttp(url, AbortSignal.timeout(60_000))).body;
const listed = async () => parseJson(Listed, (await world.run(['ls', '--json'])).stdout, 'what ls printed').labs;

/** The addresses in what a command printed, in order. */
const addressesIn = (text: string): readonly string[] => text.match(/^http:\S+$/gm) ?? [];

const folder = path.dirname(world.reports);

/** It exports a handler without the function that would handle anything. */
const unusable = `(component
  (component $none) (instance $handler (instantiate $none))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))`;

t.test('a lab stands, is deployed into again and again, loaded and listed, and goes', { skip }, async (t) => {
  const none = await world.run(['deploy', fixture('hello-wasi-http')]);
  t.equal(none.code, 64);
  t.match(none.stderr, /no lab stands\n {2}npm run lab -- up/);

  const up = await world.run(['up']);
  t.equal(up.code, 0, { stderr: up.stderr });
  t.match(up.stdout, /the lab 'default' stands on local \(bridged\)/);
  const twice = await world.run(['up']);
  t.equal(twice.code, 64);
  t.match(twice.stderr, /the lab 'default' stands already/);

  await t.test('a component answers, and the changed one in its place at the same address', async (t) => {
    const file = path.join(folder, 'my-service.wasm');
    await fs.copyFile(fixture('hello-wasi-http'), file);
    const watching = world.start(['deploy', file, '--watch']);
    await watching.prints(/200, 30 bytes: Hello/);
    await fs.writeFile(file, 'half a build');
    await watching.says(/my-service\.wasm cannot be served/);
    await fs.copyFile(fixture('greeter-wasi-http'), file);
    await watching.prints(/myservice replaced in \S+ s[\s\S]*200, 19 bytes: Another component\./);
    watching.child.kill('SIGINT');
    const { code, stdout } = await watching.ended;
    t.equal(code, 130);
    const [first, second] = addressesIn(stdout);
    t.ok(first);
    t.equal(second, first);
    t.equal(await bodyAt(first ?? ''), greeting, 'the lab stands on');
  });

  const options = ['--port', '9000:80', '--env', 'A=b=c', '--memory', '64', '--replicas', '2', '--json'];
  const replicas = await world.run(['deploy', fixture('hello-wasi-http'), '--name', 'two', ...options]);
  t.match(JSON.parse(replicas.stdout), {
    service: 'two',
    ports: '9000:80/tcp',
    response: { status: 200, body: hello },
  });
  const [lab] = await listed();
  t.match(lab, { name: 'default', machine: 'local', worker: 'connected', violations: 0, gateway: true });
  t.match(
    lab?.services.map(({ service, instances }) => [service, instances.length]),
    [
      ['myservice', 1],
      ['two', 2],
    ],
  );
  for (const { state, memory } of lab?.services.flatMap(({ instances }) => instances) ?? []) {
    t.match(state, /^(CREATED|RUNNING)$/);
    t.ok((memory ?? 0) > 1e6, `${memory} bytes`);
  }

  const loaded = await world.run(['load', 'two', '--duration', '1', '--json']);
  t.equal(loaded.code, 0, { stderr: loaded.stderr });
  t.match(JSON.parse(loaded.stdout), { counts: { wrongStatus: 0, wrongBody: 0, errors: 0, timeouts: 0 } });
  const address = lab?.services.find(({ service }) => service === 'two')?.address ?? '';
  const fromHere = await world.run(['load', address, '--duration', '1']);
  t.equal(fromHere.code, 0, { stdout: fromHere.stdout, stderr: fromHere.stderr });
  t.match(fromHere.stdout, /wrong status 0 +wrong body 0 +errors 0/);

  await t.test('what cannot be deployed is said, and leaves the others alone', async (t) => {
    const refused = path.join(folder, 'refused.wasm');
    await fs.writeFile(refused, await parse(unusable));
    for (const [args, code, message] of [
      [[fixture('hello-wasi-http'), '--port', '9000:80'], 64, /port 9000\/tcp of the board leads to two already/],
      [[path.join(folder, 'none.wasm')], 64, /cannot read none\.wasm/],
      [[fixture('hello-wasi-http'), '--lab', 'other'], 64, /no lab 'other' stands/],
      [[refused], 1, /refused could not be deployed: .* came FAILED: /],
    ] as const) {
      const ended = await world.run(['deploy', ...args]);
      t.equal(ended.code, code, { args, stderr: ended.stderr });
      t.match(ended.stderr, message);
    }
    t.equal(await bodyAt(address), hello);
    t.equal((await listed())[0]?.services.length, 2);
  });

  const logs = world.start(['logs', '-f', 'two']);
  await logs.prints(/two\.test\.instance\.0 <==\nServing HTTP/);
  logs.child.kill('SIGINT');
  t.notMatch((await logs.ended).stdout, /myservice/);

  const report = await world.run(['report']);
  t.match(report, { code: 0, stdout: /deploy +myservice [\s\S]*replace +myservice [\s\S]*load +two .*responses / });
  t.match(
    report.stdout,
    /deploy +refused .*failed: refused could not be deployed[\s\S]*0 messages against the contract/,
  );

  const undeployed = await world.run(['undeploy', 'my-service']);
  t.match(undeployed, { code: 0, stdout: /^myservice undeployed in/ });
  const unknown = await world.run(['undeploy', 'my-service']);
  t.equal(unknown.code, 64);
  t.match(unknown.stderr, /no service 'my-service' \(there is two\)/);
  t.match(await world.run(['exec', 'ip', 'netns', 'list']), { code: 0, stdout: /two\.test\.instance\.1/ });

  t.match(await world.run(['down']), { code: 0, stdout: "ended the lab 'default' on local\n" });
  t.strictSame(await world.processes(), []);
  t.strictSame(await world.leftovers(), []);
});

t.test('labs that lost their board or their process say so, and nothing of them is left', { skip }, async (t) => {
  t.equal((await world.run(['up', '--lab', 'one'])).code, 0);
  t.equal((await world.run(['up', 'veth', '--lab', 'two'])).code, 0);
  const standing = path.join(world.env['XDG_CACHE_HOME'] ?? '', 'oakestra-wasm-lab', 'standing');
  const recordOf = async (name: string) =>
    parseJson(
      Type.Object({ folder: Type.String() }),
      await fs.readFile(path.join(standing, `${name}.json`), 'utf8'),
      name,
    );
  const gone = async (file: string) => (await fs.stat(file).catch(() => undefined)) === undefined || undefined;
  const soon = AbortSignal.timeout(180_000);

  const { folder: run } = await recordOf('one');
  process.kill(Number(await fs.readFile(path.join(run, 'board.pid'), 'utf8')), 'SIGKILL');
  await until(() => gone(run), soon);
  const lost = await world.run(['deploy', fixture('hello-wasi-http'), '--lab', 'one']);
  t.equal(lost.code, 3);
  t.match(lost.stderr, /the lab 'one' on local ended at \S+: the board ended/);

  const other = await world.run(['deploy', fixture('hello-wasi-http')]);
  t.equal(other.code, 0, 'the other one stands', { stderr: other.stderr });
  const pid = Number.parseInt(await fs.readFile(path.join(standing, 'two.lock'), 'utf8'), 10);
  process.kill(pid, 'SIGKILL');
  await until(() => identityOf(pid) === undefined || undefined, soon);
  const killed = await world.run(['ls']);
  t.match(killed, {
    code: 0,
    stderr: /the lab 'two' on local ended at \S+: its process was killed[\s\S]*no lab stands/,
  });
  t.strictSame(await world.processes(), []);
  t.strictSame(await world.leftovers(), []);
  t.strictSame(await fs.readdir(standing), []);
});
