import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { startCluster } from '../../../support/cluster/engine.ts';
import { inSandbox } from '../../net-manager/sandbox.ts';
import { createDaemon, fetchText, fixture, noWasmtime } from '../support/daemon.ts';
import { hello, job, processes, service } from '../support/jobs.ts';
import { startNetManager } from '../support/net-manager.ts';

inSandbox(import.meta.url, () => {
  t.test('a service is deployed, answers, is reported and is removed', { skip: noWasmtime }, async (t) => {
    await using cluster = await startCluster();
    await using daemon = await createDaemon(cluster.port);
    daemon.start();
    await cluster.until(() => cluster.registrations[0], 'registration');
    await using network = await startNetManager(daemon.socket);
    await cluster.subscribed();
    const body = { client_id: 'a'.repeat(24), cluster_address: '127.0.0.1', broker_port: Number };
    t.match(network.calls, [{ path: '/register', body }]);

    const image = await cluster.offer('hello.wasm', fixture('hello-wasi-http'));
    await cluster.send('deploy', job(image));
    await cluster.status('CREATED');
    t.same(cluster.statuses(), ['CREATING', 'CREATED']);
    t.equal(await fetchText('http://10.10.0.2/'), hello);
    t.equal(await fetchText('http://[fd10:0::2]/'), hello);
    await cluster.reported(0);
    // what the program says goes through a process of its own
    const usage = await cluster.until(
      () =>
        cluster.messages
          .flatMap(({ body }) => (body['services'] ?? []) as readonly { logs: string; memory_percent: string }[])
          .find(({ logs }) => logs.includes('Serving HTTP')),
      'report with what the program says',
    );
    t.match(usage, { job_name: service, instance: 0, virtualization: 'wasm' });
    t.ok(Number(usage.memory_percent) > 0, 'an instance needs memory');

    const [pid = ''] = await processes(daemon.folder);
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    t.match(status, /CapPrm:\t0+\nCapEff:\t0+\nCapBnd:\t0+\nCapAmb:\t0+\nNoNewPrivs:\t1/);
    t.match((await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' '), /max-memory-size=104857600/);

    await cluster.send('deploy', job(image));
    await cluster.send('deploy', job(image, { instance_number: 1 }));
    await cluster.status('CREATED', 1);
    t.equal(await fetchText('http://10.10.1.2/'), hello);
    await cluster.reported(0, 1);
    // numbers of processes begin again from the first at times, so that the later process can have the lower one
    const pids = await processes(daemon.folder);
    t.equal(pids.length, 2);
    t.ok(pids.includes(pid), 'a second deploy disturbs nothing');
    t.same(cluster.statuses(), ['CREATING', 'CREATED']);

    await cluster.send('delete', { job_name: service, instance_number: 0, virtualization: 'wasm' });
    await cluster.send('delete', { job_name: service, instance_number: 1, virtualization: 'wasm' });
    await Promise.all([cluster.status('UNDEPLOYED', 0), cluster.status('UNDEPLOYED', 1)]);
    t.same(cluster.statuses(), ['CREATING', 'CREATED', 'UNDEPLOYED']);
    t.same(await processes(daemon.folder), []);
    t.same(await readdir('/run/netns'), []);
    t.same(await readdir(join(daemon.at('state'), 'instances')), []);
    t.equal((await readdir(daemon.at('cache'))).length, 1, 'the component stays in the cache');
    t.equal(await daemon.end('SIGTERM'), 0);
    t.same(cluster.violations, []);
  });

  t.test('whatever fails is undone and told', { skip: noWasmtime }, async (t) => {
    await using cluster = await startCluster();
    await using daemon = await createDaemon(cluster.port);
    await using network = await startNetManager(daemon.socket);
    daemon.start();
    await cluster.subscribed();
    const good = await cluster.offer('hello.wasm', fixture('hello-wasi-http'));
    cluster.serve('text', (_, response) => response.end('<html>'));
    const base = good.slice(0, good.indexOf('hello.wasm'));
    let instance = 0;
    const failing = async (what: string, more: Record<string, unknown>, reason: RegExp) => {
      instance += 1;
      await cluster.send('deploy', { ...job(good), ...more, instance_number: instance });
      t.match(await cluster.status('FAILED', instance), { status_detail: reason }, what);
    };
    await failing('a wrong digest', { image: `${base}hello.wasm#sha256=${'0'.repeat(64)}` }, /SHA-256 is [0-9a-f]{64}/);
    await failing('no such file', { image: `${base}nothing.wasm` }, /answered 404/);
    await failing('not WebAssembly', { image: `${base}text` }, /not a WebAssembly binary/);
    await failing('nobody there', { image: 'http://127.0.0.1:9/x.wasm' }, /does not answer/);
    await failing('an unknown runtime', { virtualization: 'docker' }, /unknown runtime 'docker'/);
    await failing('an impossible port', { port: '99999' }, /ports are 1 to 65535/);
    await failing('a wrong type', { environment: 'A=B' }, /environment must be array/);
    await failing('a name that is a path', { job_name: '../../etc.a.b.c' }, /four parts/);
    network.refuse('/wasm/deploy', { status: 500, text: 'host port 8080/tcp is taken' });
    await failing('a refused network', {}, /host port 8080\/tcp is taken/);
    t.same(await processes(daemon.folder), []);
    t.same(await readdir('/run/netns'), []);
    t.same(await readdir(join(daemon.at('state'), 'instances')), []);
    t.same(await readdir(daemon.at('cache')), [], 'nothing unchecked is kept');
    network.refuse('/wasm/deploy', undefined);
    await cluster.send('deploy', job(good));
    await cluster.status('CREATED');
    t.same(cluster.violations, []);
    await cluster.send('delete', { job_name: service, instance_number: 0 });
    await cluster.status('UNDEPLOYED');
  });
});
