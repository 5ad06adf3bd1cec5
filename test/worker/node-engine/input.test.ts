import fc from 'fast-check';
import t from 'tap';
import { InvalidData } from '../../../worker/contract/check.ts';
import { engineTopics } from '../../../worker/contract/topics.ts';
import { parseReference } from '../../../worker/node-engine/artifacts/reference.ts';
import { defaultSources } from '../../../worker/node-engine/artifacts/sources.ts';
import { readOrder } from '../../../worker/node-engine/cluster/inbox.ts';
import { parseOptions, UsageError } from '../../../worker/node-engine/options.ts';
import { checkJob } from '../../../worker/node-engine/runtime/job.ts';
import { settingsOf } from '../../../worker/node-engine/settings.ts';
import { inputs } from '../../support/inputs.ts';

const seeded = inputs(20_260_802, 3000);
const ignore = () => undefined;
const topics = engineTopics('a'.repeat(24));

/** What `read` gives, or its InvalidData; anything else that is thrown is a fault. */
const orInvalid = <T>(read: () => T): T | InvalidData => {
  try {
    return read();
  } catch (error) {
    if (error instanceof InvalidData) return error;
    throw error;
  }
};

t.test('any payload on any topic is an order or a clear refusal', async () => {
  const fields = fc.record(
    {
      job_name: fc.oneof(fc.string(), fc.constant('a.b.c.d'), fc.anything()),
      instance_number: fc.oneof(fc.integer(), fc.anything()),
      image: fc.oneof(fc.webUrl(), fc.anything()),
      virtualization: fc.oneof(fc.constant('wasm'), fc.anything()),
      port: fc.oneof(fc.constantFrom('80:80', '53/udp'), fc.string(), fc.anything()),
      environment: fc.oneof(fc.array(fc.string()), fc.anything()),
    },
    { requiredKeys: [] },
  );
  const text = fields.map((value) => JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? String(one) : one)));
  const payload = fc.oneof(fc.string(), fc.json(), text);
  fc.assert(
    fc.property(fc.constantFrom(...Object.values(topics), 'other'), payload, (topic, received) => {
      const order = orInvalid(() => readOrder(topics, topic, received, ignore));
      if (order instanceof InvalidData || order?.kind !== 'deploy') return;
      orInvalid(() => checkJob(order.job));
      orInvalid(() => parseReference(order.job.image));
    }),
    seeded,
  );
});

t.test('a job that can be named but not understood is refused by name', async (t) => {
  const order = readOrder(
    topics,
    topics.deploy,
    JSON.stringify({ job_name: 'a.b.c.d', instance_number: 2, image: 5 }),
    ignore,
  );
  t.match(order, {
    kind: 'refuse',
    request: { job_name: 'a.b.c.d', instance_number: 2 },
    reason: /image must be string/,
  });
});

t.test('a job whose name is too long is refused by name, and its delete is answered', async (t) => {
  const named = { job_name: `a.b.c.${'d'.repeat(200)}`, instance_number: 2, image: 'http://h/a' };
  t.match(readOrder(topics, topics.deploy, JSON.stringify(named), ignore), {
    kind: 'refuse',
    request: { job_name: named.job_name, instance_number: 2 },
    reason: /job_name must NOT have more than 123 characters/,
  });
  t.match(readOrder(topics, topics.delete, JSON.stringify(named), ignore), { kind: 'delete' });
});

t.test('images', async (t) => {
  const digest = 'A1'.repeat(32);
  t.match(parseReference(`http://h:1/f.wasm?a=b#sha256=${digest}`), { kind: 'http', digest: digest.toLowerCase() });
  t.match(parseReference('HTTPS://h/f'), { kind: 'http', url: { href: 'https://h/f' } });
  t.match(parseReference('file:///srv/a%20b.wasm'), { kind: 'file', path: '/srv/a b.wasm' });
  t.match(parseReference('/srv/a.wasm'), { kind: 'file', path: '/srv/a.wasm' });
  t.match(parseReference('ghcr.io/org/app:1.0'), { registry: 'ghcr.io', repository: 'org/app', tag: '1.0' });
  t.match(parseReference('oci://localhost:5000/app'), { registry: 'localhost:5000', repository: 'app', tag: 'latest' });
  t.match(parseReference(`r.io/a@sha256:${'0'.repeat(64)}`), { tag: `sha256:${'0'.repeat(64)}` });
  t.match(parseReference('oci://nginx'), { registry: 'docker.io', repository: 'library/nginx', tag: 'latest' });
  t.match(parseReference('org/app:1'), { registry: 'docker.io', repository: 'org/app', tag: '1' });
  t.match(parseReference('docker.io/app'), { registry: 'docker.io', repository: 'library/app' });
  t.match(parseReference('index.docker.io/a/b'), { registry: 'docker.io', repository: 'a/b' });
  t.match(parseReference('GHCR.io/x/y/z'), { registry: 'ghcr.io', repository: 'x/y/z' });
  t.match(parseReference('[fd00::5]:5000/app'), { registry: '[fd00::5]:5000', repository: 'app' });
  t.match(parseReference('localhost/app'), { registry: 'localhost', repository: 'app' });
  t.match(parseReference('/srv/components/../../etc/shadow'), { kind: 'file', path: '/etc/shadow' });
  t.match(parseReference('docker://r.io/x:2'), { registry: 'r.io', repository: 'x', tag: '2' }, 'as skopeo writes it');
  t.match(parseReference(` http://h/f.wasm#SHA256:${digest}\n`), { kind: 'http', digest: digest.toLowerCase() });
  t.match(parseReference('\tr.io/x:2 '), { registry: 'r.io', repository: 'x', tag: '2' });
  for (const [image, reason] of [
    ['ghcr.io/Org/app:1', /a repository's name and a digest are in lower case/],
    [`r.io/a@sha256:${'A'.repeat(64)}`, /in lower case/],
    ['r.io/ä', /sha256:…\]$/],
    ['http://h/f#', /64 hex digits/],
    ['http://h/f#sha256=12', /64 hex digits/],
    ['ftp://h/f', /scheme 'ftp' is unknown/],
    ['file://host/f', /three slashes/],
    ['file:///a%2fb', /encoded/],
    ['../x.wasm', /expected http/],
    ['http://', /no URL/],
    ['Nginx', /expected http/],
    ['r.io/a//b', /expected http/],
    ['r.io:99999/a', /no host/],
  ] as const)
    t.throws(() => parseReference(image), { name: 'InvalidData', message: reason }, image);
});

t.test('conf.json in both spellings', async (t) => {
  const base = { cluster_address: 'c', cluster_port: 10_100 };
  t.match(settingsOf(base, undefined), {
    cluster: { host: 'c', port: 10_100, secure: false },
    network: { socketPath: '/etc/netmanager/netmanager.sock' },
    runtimes: ['wasm'],
    logs: '/var/log/oakestra',
    compile: true,
  });
  t.equal(settingsOf({ ...base, cluster_address: '0.0.0.0' }, undefined).cluster, undefined);
  t.equal(settingsOf({ ...base, overlay_network: 'disabled' }, undefined).network, undefined);
  t.same(settingsOf({ ...base, overlay_network: 'custom:/n.sock' }, undefined).network, { socketPath: '/n.sock' });
  t.same(settingsOf({ ...base, overlay_network_port: 6000 }, undefined).network, { host: '127.0.0.1', port: 6000 });
  t.same(settingsOf(base, '/mine').network, { socketPath: '/mine' });
  t.same(settingsOf(base, undefined).sources, defaultSources, 'no file, no host of this node, no account');
  const sources = {
    component_folders: ['/srv/components', 'relative'],
    allowed_local_hosts: ['localhost:5000'],
    insecure_registries: ['registry.lan:5000'],
    registry_auth_file: '/etc/oakestra/registries.json',
  };
  t.same(settingsOf({ ...base, ...sources }, undefined).sources, {
    folders: ['/srv/components'],
    localHosts: ['localhost:5000'],
    httpRegistries: ['registry.lan:5000'],
    registryAuth: '/etc/oakestra/registries.json',
  });
  const misspelt = {
    virutalizaiton_name: 'w',
    virutalizaiton_runtime: 'wasm',
    virutalizaiton_config: ['precompile=off'],
  };
  const docker = { virtualization_name: 'docker', virtualization_runtime: 'docker' };
  const off = { virtualization_name: 'x', virtualization_runtime: 'wasm', virtualization_active: false };
  t.match(settingsOf({ ...base, virtualizations: [misspelt, docker, off] }, undefined), {
    runtimes: ['w'],
    compile: false,
  });
  t.same(settingsOf({ ...base, virtualizations: [docker] }, undefined).runtimes, ['wasm'], 'not named');
  t.same(settingsOf({ ...base, virtualizations: [docker, off] }, undefined).runtimes, [], 'switched off');
});

t.test('the command line', async (t) => {
  t.match(parseOptions(['--config', '/c', '--net-manager', '/s']), {
    config: '/c',
    netManager: '/s',
    wasmtime: 'wasmtime',
  });
  t.equal(parseOptions(['--help']), undefined);
  for (const argv of [['--nothing'], ['--dialect', '401'], ['--config'], ['word']])
    t.throws(() => parseOptions(argv), UsageError, argv.join(' '));
});
