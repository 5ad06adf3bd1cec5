import t from 'tap';
import { startNetCluster } from '../../../support/cluster/net.ts';
import { createDaemon } from '../daemon.ts';
import { attachLab, footprint, get, inNamespace, run, serve } from '../kernel.ts';
import { inSandbox } from '../sandbox.ts';

const service = 'app.appns.svc.svcns';
const task = (instance: number) => `${service}.instance.${instance}`;

/** New connections that miss one of three replicas by chance: less than once in a thousand million times. */
const tries = 64;

const distinct = (text: string): readonly string[] => [...new Set(text.trim().split('\n'))].toSorted();

/** Which of the replicas answer new connections from a place, each once. */
const overTcp = async (namespace: string | undefined, host: string): Promise<readonly string[]> => {
  const urls = Array.from({ length: tries }, () => `http://${host}:80/`);
  const curl = ['curl', '--noproxy', '*', '-gsS', '-m', '60', '-w', '\n', '-H', 'Connection: close', ...urls];
  return distinct(await (namespace === undefined ? run(...curl) : inNamespace(namespace, ...curl)));
};

const udpClient = `
const [port, host, tries] = process.argv.slice(1);
setTimeout(() => process.exit(1), 60000).unref();
for (let left = Number(tries); left > 0; left--) {
  const socket = require('node:dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (message) => { console.log(String(message)); socket.close(); });
  socket.connect(Number(port), host, () => socket.send('ping'));
}
`;

const overUdp = async (namespace: string, host: string): Promise<readonly string[]> =>
  distinct(await inNamespace(namespace, process.execPath, '-e', udpClient, '53', host, String(tries)));

inSandbox(import.meta.url, () => {
  t.before(attachLab);
  for (const WasmTopology of ['bridged', 'veth'] as const)
    t.test(`replicas share a host port while one of them lives, ${WasmTopology}`, async (t) => {
      await using cluster = await startNetCluster();
      await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port), WasmTopology });
      await daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' });
      const deploy = (instanceNumber: number, serviceName = service) =>
        daemon.post('/wasm/deploy', { serviceName, instanceNumber, portMappings: '80:8080;53:8080/udp' });
      const undeploy = (instanceNumber: number) =>
        daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber });
      const bare = await footprint();
      t.equal((await deploy(0)).status, 200);
      const alone = await footprint();
      for (const answer of await Promise.all([deploy(1), deploy(2)])) t.equal(answer.status, 200, answer.text);
      const shared = await footprint();
      using _zero = await serve(task(0), 8080, 'zero');
      using _one = await serve(task(1), 8080, 'one');
      using _two = await serve(task(2), 8080, 'two');
      const places = [
        ['another machine', 'lab', ['192.168.50.1', '[fd50::1]']],
        ['the board', undefined, ['127.0.0.1', '[fc00::101]']],
        ['a replica', task(0), ['10.10.0.1', '[fc00::101]']],
      ] as const;
      const whoAnswers = async (expected: readonly string[]) => {
        for (const [who, namespace, hosts] of places)
          for (const host of hosts) t.same(await overTcp(namespace, host), expected, `${who}: tcp ${host}`);
      };
      await whoAnswers(['one', 'two', 'zero']);
      for (const host of ['192.168.50.1', 'fd50::1'])
        t.same(await overUdp('lab', host), ['one:ping', 'two:ping', 'zero:ping'], `udp ${host}`);
      const other = await deploy(0, 'app.appns.other.svcns');
      t.equal(other.status, 500);
      t.match(other.json()['message'], /host port 80\/tcp is already mapped to app\.appns\.svc\.svcns\.instance\.\d/);
      t.same(await footprint(), shared, 'a service that is refused changes nothing');

      await daemon.end('SIGKILL');
      await daemon.start();
      await daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' });
      t.same(await footprint(), shared, 'a restart changes nothing');
      await run('nft', 'flush', 'ruleset');
      t.equal((await undeploy(1)).status, 200);
      t.equal((await deploy(0)).status, 200, 'a repeated deployment puts the rules back');
      await whoAnswers(['two', 'zero']);
      t.equal((await undeploy(2)).status, 200);
      t.same(await footprint(), alone, 'with one replica left the rules are as they were with one');
      t.equal(await get('lab', 'http://192.168.50.1:80/'), 'zero');
      await undeploy(0);
      t.same(await footprint(), bare);
      t.equal(await daemon.end('SIGTERM'), 0, daemon.log());
    });
});
