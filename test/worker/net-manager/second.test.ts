import { execFile } from 'node:child_process';
import { rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { deadline, until } from '../../../lab/system/wait.ts';
import { startNetCluster } from '../../support/cluster/net.ts';
import { createDaemon } from './daemon.ts';
import { footprint, inNamespace, run } from './kernel.ts';
import { inSandbox } from './sandbox.ts';

const execute = promisify(execFile);
const entry = fileURLToPath(new URL('../../../worker/net-manager/main.ts', import.meta.url));

inSandbox(import.meta.url, () => {
  for (const own of [false, true])
    t.test(`a second net manager with ${own ? 'a state of its own' : 'the same state'} ends at once`, async (t) => {
      await using cluster = await startNetCluster();
      await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) });
      await daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' });
      const wanted = { serviceName: 'app.appns.svc.svcns', instanceNumber: 0, portMappings: '80' };
      await daemon.post('/wasm/deploy', wanted);
      const before = await footprint();
      const other = t.testdir({});
      const state = own ? other : join(daemon.folder, 'state');
      const second = execute(process.execPath, [
        entry,
        ...['--config', daemon.folder],
        ...['--socket', '/run/second.sock'],
        ...['--state', state],
      ]);
      const stderr = new RegExp(`another NetManager runs on this board \\(PID ${daemon.pid()}, state .*stop that one`);
      await t.rejects(second, { code: 1, stderr });
      await second.catch((error: { stderr: string }) => t.notMatch(error.stderr, /link del/));
      t.same(await footprint(), before, 'nothing changed');
      t.equal((await daemon.post('/wasm/undeploy', wanted)).status, 200, 'the first one works on');
      await daemon.end('SIGKILL');
      await daemon.start();
      t.equal(await daemon.end('SIGTERM'), 0, 'a killed one keeps nobody out');
    });

  t.test('a net manager whose socket is removed is answering again', async (t) => {
    await using cluster = await startNetCluster();
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) });
    const register = () => daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' });
    for (const _ of [1, 2]) {
      t.equal((await register()).status, 200);
      await rm(daemon.socket);
      await until(() => stat(daemon.socket).catch(() => undefined), deadline(120_000, 'the socket'));
      t.equal((await stat(daemon.socket)).mode & 0o777, 0o660);
    }
    t.match(daemon.log(), /another program removed .*nm\.sock: it is made anew/);
    t.equal(await daemon.end('SIGTERM'), 0);
  });

  t.test('a second net manager in a network namespace of its own leaves the state of the first alone', async (t) => {
    await using cluster = await startNetCluster();
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) });
    await daemon.post('/register', { client_id: 'node1', cluster_address: '127.0.0.1' });
    const state = join(daemon.folder, 'state');
    await run('ip', 'netns', 'add', 'container');
    await inNamespace('container', 'ip', 'link', 'set', 'lo', 'up');
    const argv = ['nsenter', '--net=/run/netns/container', process.execPath, entry, '--config', daemon.folder];
    const second = execute('env', [...argv, '--socket', '/run/second.sock', '--state', state]);
    const who = `another NetManager works in ${state}; stop it \\(PID ${daemon.pid()} on ${hostname()}\\)`;
    await t.rejects(second, { code: 1, stderr: new RegExp(who) });
    await daemon.end('SIGKILL');
    await daemon.start();
    t.equal(await daemon.end('SIGTERM'), 0, 'a killed one keeps nobody out');
    await run('ip', 'netns', 'del', 'container');
  });
});
