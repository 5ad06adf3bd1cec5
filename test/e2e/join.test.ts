import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import Type from 'typebox';
import { getOverHttp } from '../../lab/scenario/targets/get.ts';
import { LabStatus } from '../../lab/standing/protocol.ts';
import { until } from '../../lab/system/wait.ts';
import { parseJson } from '../../worker/contract/check.ts';
import { labWorld } from '../support/lab.ts';

const at = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const hello = at('../../fixtures/hello-wasi-http/hello-wasi-http.wasm');
const service = 'app.ns.hello.ns';
/** An address of its own on the loopback device: its ports are nobody else's. */
const here = '127.0.77.19';
const Listed = Type.Object({ labs: Type.Array(LabStatus) });
const soon = () => AbortSignal.timeout(300_000);

/** The lab's cluster in another process. A board reaches this computer by the address 10.0.2.2. */
const startStandIn = async () => {
  const child = spawn(process.execPath, [at('../support/cluster/stand-in.ts'), '10.0.2.2'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => JSON.parse((await lines.next()).value ?? '{"ended":true}');
  const first = parseJson(Type.Object({ port: Type.Integer() }), JSON.stringify(await next()), 'its first line');
  return {
    child,
    port: first.port,
    tell: async (order: Readonly<Record<string, string>>): Promise<unknown> => {
      child.stdin.write(`${JSON.stringify(order)}\n`);
      return await next();
    },
  };
};

t.test('a board joins a cluster that exists, and that deploys into it', async (t) => {
  await using world = await labWorld();
  const cluster = await startStandIn();
  t.teardown(() => cluster.child.kill('SIGKILL'));
  const status = async () => parseJson(Listed, (await world.run(['ls', '--json'])).stdout, 'what ls printed').labs[0];

  const up = await world.run(['up', '--join', `127.0.0.1:${cluster.port}`, '--public-address', here]);
  if (!t.equal(up.code, 0, { stderr: up.stderr })) return;
  t.match(up.stdout, new RegExp(`the cluster at 127\\.0\\.0\\.1:${cluster.port} knows \\S+-lab-default as worker `));
  t.match(up.stdout, /dialect 403, subnet 10\.18\.0\.0/);
  t.match(up.stdout, `${here} leads to the board: 50103/udp`);

  await t.test('a service of the cluster is reached by this computer', async (t) => {
    t.match(await cluster.tell({ deploy: hello, service, port: '8080:80' }), { created: service });
    const found = await until(async () => (await status())?.services[0], soon());
    t.match(found, {
      service,
      ports: '8080:80/tcp',
      address: `http://${here}:8080/`,
      instances: [{ state: 'RUNNING' }],
    });
    const { status: code, body } = await getOverHttp(`http://${here}:8080/`, soon());
    t.match({ code, body }, { code: 200, body: 'Hello, wasi:http/proxy world!\n' });
    t.match(await world.run(['ls']), {
      code: 0,
      stdout: `worker connected\n  the cluster at 127.0.0.1:${cluster.port}`,
    });
    const refused = await world.run(['deploy', hello]);
    t.match(refused, { code: 64, stderr: /has joined the cluster at \S+: deploy through that one/ });
  });

  await t.test("what other workers' overlays send to this computer comes to the board", async (t) => {
    const tcpdump = [
      'tcpdump',
      '-Z',
      'root',
      '--immediate-mode',
      '-l',
      '-n',
      '-c',
      '1',
      '-i',
      'any',
      'udp dst port 50103 and dst host 10.0.2.15', // not what the board itself sends to a device that holds packets
    ];
    const capture = world.start(['exec', 'timeout', '60', ...tcpdump]);
    const sender = createSocket('udp4');
    t.teardown(() => sender.close());
    // a whole IPv4 packet is the payload (contract, section 7)
    const packet = Buffer.from('4500001c00010000401100000a1200010a1200020001000200080000', 'hex');
    const sending = setInterval(() => sender.send(packet, 50_103, here), 200);
    t.teardown(() => clearInterval(sending));
    const { stdout, stderr } = await capture.ended;
    t.match(stdout, /10\.0\.2\.15\.50103: UDP/, { stderr });
  });

  t.match(await cluster.tell({ undeploy: service }), { undeployed: service, violations: [] });
  await until(async () => (await status())?.services.length === 0 || undefined, soon());
  t.match((await status())?.cluster?.ports, [{ port: '50103/udp' }]);
  await t.rejects(getOverHttp(`http://${here}:8080/`, soon()), /ECONNREFUSED/);

  const exited = once(cluster.child, 'exit');
  cluster.child.kill('SIGKILL');
  await exited;
  await until(async () => (await status())?.worker === 'away' || undefined, soon());
  t.match((await world.run(['ls'])).stdout, /worker away[\s\S]*not connected: \S/);

  t.match(await world.run(['down']), { code: 0, stdout: "ended the lab 'default' on virt\n" });
  t.strictSame(await world.processes(), []);
  t.strictSame(await world.leftovers(), []);
});
