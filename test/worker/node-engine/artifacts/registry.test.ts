import { sign, X509Certificate } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ArtifactCache } from '../../../../worker/node-engine/artifacts/artifacts.ts';
import { makeCertificates, noOpenssl } from '../../../support/servers/certificates.ts';
import {
  account,
  findRegistry,
  type Guard,
  pusher,
  type StartRegistry,
  tokenService,
} from '../../../support/servers/registry.ts';
import { component, digest, ownServer, startServer } from '../support/artifact-server.ts';

const signal = AbortSignal.timeout(800_000);
const types = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.wasm.config.v0+json',
} as const;
const basic = `Basic ${Buffer.from(`${account.user}:${account.password}`).toString('base64')}`;

const found = await findRegistry();
const skip = typeof found === 'string' ? found : false;
const start = found as StartRegistry;

/** A registry, and caches that fetch from it with and without an account. */
const setUp = async (t: Test, guard: Guard) => {
  const root = t.testdir({ registry: {}, mine: {}, nobody: {} });
  const registry = await start(join(root, 'registry'), guard);
  t.teardown(() => registry[Symbol.asyncDispose]());
  const { host } = new URL(registry.url);
  const file = join(root, 'config.json');
  const auths = { [host]: { auth: Buffer.from(`${account.user}:${account.password}`).toString('base64') } };
  await writeFile(file, JSON.stringify({ auths }), { mode: 0o600 });
  const sources = { ...ownServer, localHosts: [new URL(registry.url).hostname] };
  return {
    ...registry,
    host,
    mine: new ArtifactCache(join(root, 'mine'), { ...sources, registryAuth: file }),
    nobody: new ArtifactCache(join(root, 'nobody'), sources),
  };
};

t.test('a registry with a password: every kind of layer, and an index', { skip }, async (t) => {
  const { url, host, mine, nobody } = await setUp(t, { kind: 'password' });
  const { blob, manifest } = pusher(url, 'team/hello', basic);
  const config = await blob('{"architecture":"wasm","os":"wasip2"}', types.config);
  const layers = [
    'application/wasm',
    'application/vnd.wasm.content.layer.v1+wasm',
    'application/vnd.module.wasm.content.layer.v1+wasm',
    'application/vnd.bytecodealliance.wasm.component.layer.v0+wasm',
  ];
  for (const [index, type] of layers.entries()) {
    await manifest({ config, layers: [await blob(component, type)] }, types.manifest, `v${index}`);
    t.equal((await mine.fetch(`${host}/team/hello:v${index}`, signal)).digest, digest, type);
  }
  const archive = await blob('no component', 'application/vnd.oci.image.layer.v1.tar+gzip');
  const container = await manifest({ config, layers: [archive] }, types.manifest, 'container');
  const wasm = await manifest({ config, layers: [await blob(component, 'application/wasm')] }, types.manifest);
  const linux = { ...container, platform: { os: 'linux', architecture: 'amd64' } };
  const index = await manifest({ manifests: [linux, wasm] }, types.index, 'latest');
  await manifest(
    { manifests: [linux, { ...wasm, platform: { os: 'wasip2', architecture: 'wasm' } }] },
    types.index,
    'two',
  );
  for (const name of ['team/hello', 'team/hello:two', `team/hello@${index.digest}`, `team/hello:any@${wasm.digest}`])
    t.equal((await mine.fetch(`oci://${host}/${name}`, signal)).digest, digest, name);
  await t.rejects(mine.fetch(`${host}/team/hello:container`, signal), /no layer of WebAssembly/);
  await t.rejects(mine.fetch(`${host}/team/hello:none`, signal), /answered 404$/);
  await t.rejects(nobody.fetch(`${host}/team/hello`, signal), /answered 401: this node has no account there/);
});

t.test('a registry with a token server of its own', { skip: skip || noOpenssl }, async (t) => {
  const folder = t.testdir();
  await mkdir(folder, { recursive: true });
  const { pem } = makeCertificates(folder);
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = (scope: string | null) => {
    const [type, name, actions = ''] = (scope ?? '').split(':');
    const now = Math.floor(Date.now() / 1000);
    const header = { typ: 'JWT', alg: 'ES256', x5c: [new X509Certificate(pem.ca).raw.toString('base64')] };
    const claims = {
      ...{ iss: tokenService.issuer, aud: tokenService.service, sub: '', jti: 'x' },
      ...{ iat: now, nbf: now - 60, exp: now + 300 },
      access: [{ type, name, actions: actions.split(',') }],
    };
    const signed = `${encode(header)}.${encode(claims)}`;
    const key = { key: pem.caKey, dsaEncoding: 'ieee-p1363' } as const;
    return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
  };
  const asked: string[] = [];
  const grant = (url: string, authorization: string | undefined) => {
    const { searchParams } = new URL(url, 'http://x');
    asked.push(`${searchParams.get('service')} ${searchParams.get('scope')}`);
    return authorization === basic || searchParams.get('scope')?.startsWith('repository:public/')
      ? { token: token(searchParams.get('scope')) }
      : undefined;
  };
  const paths = ['public/hello', 'private/hello'].flatMap((name) =>
    ['pull', 'pull%2Cpush'].map(
      (actions) => `/token?service=registry.test&scope=repository%3A${name.replace('/', '%2F')}%3A${actions}`,
    ),
  );
  const server = await startServer(
    t,
    Object.fromEntries(
      paths.map((path) => [
        path,
        (response, request) => {
          const granted = grant(path, request.headers.authorization);
          response.writeHead(granted === undefined ? 401 : 200).end(JSON.stringify(granted ?? {}));
        },
      ]),
    ),
  );
  const realm = `http://${server.base}/token`;
  const { url, host, mine, nobody } = await setUp(t, { kind: 'token', realm, certificate: pem.ca });
  for (const name of ['public/hello', 'private/hello']) {
    const { blob, manifest } = pusher(url, name, `Bearer ${token(`repository:${name}:pull,push`)}`);
    const config = await blob('{}', types.config);
    await manifest({ config, layers: [await blob(component, 'application/wasm')] }, types.manifest, 'latest');
    t.equal((await mine.fetch(`${host}/${name}`, signal)).digest, digest, name);
  }
  t.equal((await nobody.fetch(`${host}/public/hello`, signal)).digest, digest);
  await t.rejects(nobody.fetch(`${host}/private/hello`, signal), /answered 401 when asked for a token/);
  t.ok(asked.includes('registry.test repository:private/hello:pull'));
});
