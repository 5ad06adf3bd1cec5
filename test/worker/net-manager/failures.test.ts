import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { deadline, until } from '../../../lab/system/wait.ts';
import { startNetCluster } from '../../support/cluster/net.ts';
import { createDaemon } from './daemon.ts';
import { footprint, run } from './kernel.ts';
import { inSandbox } from './sandbox.ts';

const service = 'app.appns.svc.svcns';
const registration = { client_id: 'node1', cluster_address: '127.0.0.1' };

inSandbox(import.meta.url, () => {
  t.test('a failed step takes back the earlier ones, and the address is free again', async (t) => {
    await using cluster = await startNetCluster();
    // A kernel that takes no rule for port 80.
    const folder = t.testdir({
      nft: `#!/bin/sh
        PATH=\${PATH#*:}
        [ "$*" = "-f -" ] || exec nft "$@"
        text=$(cat)
        case "$text" in *"tcp . 80 :"*) exit 1;; esac
        printf '%s\\n' "$text" | exec nft -f -`,
    });
    await chmod(join(folder, 'nft'), 0o755);
    const PATH = `${folder}:${process.env['PATH']}`;
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) }, { PATH });
    await daemon.post('/register', registration);
    const deploy = (instanceNumber: number, portMappings: string) =>
      daemon.post('/wasm/deploy', { serviceName: service, instanceNumber, portMappings });
    await run('ip', 'link', 'add', 'veth00oak3', 'type', 'veth', 'peer', 'name', 'other');
    await run('ip', 'netns', 'add', `${service}.instance.9`);
    const before = await footprint();
    t.equal((await deploy(0, '80')).status, 500, 'the last step fails: the rules');
    t.same(await footprint(), before);
    t.equal((await deploy(1, '81')).json()['nsAddress'], '10.10.0.2');
    const between = await footprint();
    t.equal((await deploy(2, '82')).status, 500, 'the second command fails: the link');
    t.same(await footprint(), between);
    t.match((await deploy(9, '')).json()['message'], /a namespace .* exists that is not ours/);
    t.same(await footprint(), between, "another's namespace is left alone");
    t.equal((await deploy(1, '81')).status, 200, 'a repeated deployment answers the same');
    t.same(await footprint(), between, 'and disturbs nothing');
    t.equal((await deploy(1, '83')).status, 500, 'with other ports it is refused');
    await run('ip', 'link', 'del', 'veth00oak3');
    await run('ip', 'netns', 'del', `${service}.instance.9`);
    t.equal((await deploy(2, '82')).json()['nsAddress'], '10.10.0.3');
    await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber: 1 });
    await daemon.post('/wasm/undeploy', { serviceName: service, instanceNumber: 2 });
    await daemon.end('SIGTERM');
  });

  t.test('what a failed deployment leaves is removed as soon as that is possible', async (t) => {
    await using cluster = await startNetCluster();
    // The rules are refused, and then nothing can be removed.
    const stuck = join(t.testdirName, 'stuck');
    const folder = t.testdir({
      nft: `#!/bin/sh
        PATH=\${PATH#*:}
        [ "$*" = "-f -" ] && [ -e ${stuck} ] && exit 1
        exec nft "$@"`,
      ip: `#!/bin/sh
        PATH=\${PATH#*:}
        case "$*" in -force*) [ -e ${stuck} ] && exit 1;; esac
        exec ip "$@"`,
    });
    for (const name of ['nft', 'ip']) await chmod(join(folder, name), 0o755);
    const PATH = `${folder}:${process.env['PATH']}`;
    await using daemon = await createDaemon({ ClusterMqttPort: String(cluster.port) }, { PATH });
    await daemon.post('/register', registration);
    const before = await footprint();
    await writeFile(stuck, '');
    const refused = await daemon.post('/wasm/deploy', { serviceName: service, instanceNumber: 0, portMappings: '80' });
    t.equal(refused.status, 500);
    t.notSame(await footprint(), before);
    t.match(daemon.log(), /instance\.0 could not be removed whole.*trying again/);
    await rm(stuck);
    const isBack = async () => isDeepStrictEqual(await footprint(), before) || undefined;
    await until(isBack, deadline(120_000, 'the end of the remains'));
    await daemon.end('SIGTERM');
  });
});
