import { createHash } from 'node:crypto';
import { chmod, chown, readdir, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { InvalidData } from '../../../../worker/contract/check.ts';
import { ArtifactCache } from '../../../../worker/node-engine/artifacts/artifacts.ts';
import { FetchError } from '../../../../worker/node-engine/artifacts/fetch-error.ts';
import { maxBytes } from '../../../../worker/node-engine/artifacts/save.ts';
import { explain } from '../../../../worker/system/explain.ts';
import { fewInputs } from '../../../support/inputs.ts';
import { withoutOtherUser } from '../../../support/other-user.ts';
import { type Answer, component, digest, ownServer, setUp, startServer, whole } from '../support/artifact-server.ts';

const signal = new AbortController().signal;
const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');
const blob = { digest: `sha256:${digest}`, size: component.length };
const image = (mediaType = 'application/wasm') => JSON.stringify({ layers: [{ mediaType, ...blob }] });

t.test('a registry is asked for the layer that holds the component, with a token when it wants one', async (t) => {
  const manifest = { layers: [{ mediaType: 'application/wasm', digest: `sha256:${digest}`, size: component.length }] };
  const allowed = ({ headers }: IncomingMessage) => headers.authorization === 'Bearer secret';
  const guarded =
    (give: Answer): Answer =>
    (response, request) => {
      const realm = `http://${request.headers.host}/token`;
      if (allowed(request)) give(response, request);
      else response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="s",scope="r"` }).end();
    };
  const { cache, base, asked } = await setUp(t, {
    '/v2/team/hello/manifests/1.0': guarded((response) => response.end(JSON.stringify(manifest))),
    [`/v2/team/hello/blobs/sha256:${digest}`]: guarded(whole),
    '/token?service=s&scope=r': (response) => response.end('{"token":"secret"}'),
    '/v2/team/wrong/manifests/latest': (response) =>
      response.end(JSON.stringify({ layers: [{ ...manifest.layers[0], digest: `sha256:${'0'.repeat(64)}` }] })),
    [`/v2/team/wrong/blobs/sha256:${'0'.repeat(64)}`]: whole,
  });
  t.equal((await cache.fetch(`oci://${base}/team/hello:1.0`, signal)).digest, digest);
  t.equal((await cache.fetch(`${base}/team/hello:1.0`, signal)).digest, digest);
  t.equal(asked.filter((path) => path.startsWith('/token')).length, 2);
  await t.rejects(cache.fetch(`${base}/team/wrong`, signal), /expected 0{64}/, "the registry's digest is checked");
  await t.rejects(cache.fetch(`${base}/team/none:2`, signal), /answered 404/);
});

t.test('a manifest that is pinned by its digest is taken only from a registry that serves that one', async (t) => {
  const text = (annotation: string) =>
    JSON.stringify({
      layers: [{ mediaType: 'application/wasm', digest: `sha256:${digest}`, size: component.length }],
      annotations: { annotation },
    });
  const honest = sha256(text('mine'));
  // As text, any byte that is no UTF-8 reads like any other.
  const [mine, foreign] = [0xff, 0xfe].map((byte) =>
    Buffer.concat([Buffer.from(text('')).subarray(0, -3), Buffer.from([byte]), Buffer.from('"}}')]),
  ) as [Buffer, Buffer];
  const { cache, folder, base } = await setUp(t, {
    [`/v2/hello/manifests/sha256:${honest}`]: (response) => response.end(text('mine')),
    [`/v2/other/manifests/sha256:${honest}`]: (response) => response.end(text('foreign')),
    [`/v2/bytes/manifests/sha256:${sha256(mine)}`]: (response) => response.end(foreign),
    [`/v2/hello/blobs/sha256:${digest}`]: whole,
    [`/v2/other/blobs/sha256:${digest}`]: whole,
    [`/v2/bytes/blobs/sha256:${digest}`]: whole,
  });
  const refusal = {
    name: 'FetchError',
    message: `the manifest's SHA-256 is ${sha256(text('foreign'))}, expected ${honest}`,
  };
  await t.rejects(cache.fetch(`${base}/other@sha256:${honest}`, signal), refusal);
  await t.rejects(
    cache.fetch(`${base}/other:1.0@sha256:${honest}`, signal),
    refusal,
    'a tag beside it changes nothing',
  );
  await t.rejects(cache.fetch(`${base}/bytes@sha256:${sha256(mine)}`, signal), { name: 'FetchError' }, 'bytes count');
  t.same(await readdir(folder), []);
  t.equal((await cache.fetch(`${base}/hello@sha256:${honest}`, signal)).digest, digest);
});

t.test('whatever a registry answers, it is a component or a clear refusal', async (t) => {
  const word = fc.stringMatching(/^[ -~]{0,40}$/);
  const layer = fc.record({ mediaType: fc.string(), digest: fc.constant(`sha256:${digest}`), size: fc.jsonValue() });
  const manifest = fc.oneof(
    fc
      .record({ layers: fc.oneof(fc.array(layer, { maxLength: 3 }), fc.jsonValue()) })
      .map((one) => JSON.stringify(one)),
    fc.json(),
    fc.string(),
  );
  const challenge = fc.oneof(
    word,
    word.map((realm) => `Bearer realm="${realm}"`),
  );
  let now = { status: 200, text: '', header: '' };
  const { cache, folder, base } = await setUp(t, {
    '/v2/any/manifests/1': (response) => {
      response.writeHead(now.status, { 'www-authenticate': now.header }).end(now.text);
    },
    [`/v2/any/blobs/sha256:${digest}`]: whole,
  });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(200, 200, 401, 404, 500), manifest, challenge, async (status, text, header) => {
      now = { status, text, header };
      const outcome = await cache.fetch(`${base}/any:1`, signal).then(
        (artifact) => artifact.digest === digest,
        (error: unknown) => error instanceof FetchError || error instanceof InvalidData,
      );
      return outcome && (await readdir(folder)).every((name) => name === `${digest}.wasm`);
    }),
    fewInputs(20_261_127),
  );
});

t.test('an account goes to the registry that asks for it, and never with a redirect to another host', async (t) => {
  const basic = `Basic ${Buffer.from('me:secret').toString('base64')}`;
  const seen: (string | undefined)[] = [];
  const storage = await startServer(t, {
    '/blob': (response, { headers }) => {
      seen.push(headers.authorization);
      response.end(component);
    },
  });
  const answers = {
    '/v2/mine/manifests/latest': (response: ServerResponse, { headers }: IncomingMessage) => {
      if (headers.authorization === basic) response.end(image());
      else response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end('top secret');
    },
    [`/v2/mine/blobs/sha256:${digest}`]: (response: ServerResponse, { headers }: IncomingMessage) =>
      response
        .writeHead(headers.authorization === basic ? 307 : 401, { location: `http://127.0.0.1:${storage.port}/blob` })
        .end(),
    '/v2/refreshed/manifests/latest': (response: ServerResponse, { headers }: IncomingMessage) => {
      if (headers.authorization === 'Bearer granted') response.end(image());
      else
        response
          .writeHead(401, { 'www-authenticate': `Bearer realm="http://${headers.host}/token",service="s"` })
          .end();
    },
    [`/v2/refreshed/blobs/sha256:${digest}`]: whole,
    '/token': async (response: ServerResponse, request: IncomingMessage) => {
      let form = '';
      for await (const chunk of request) form += String(chunk);
      const { grant_type: type, refresh_token: token, scope } = Object.fromEntries(new URLSearchParams(form));
      const right = type === 'refresh_token' && token === 'mine' && scope === 'repository:refreshed:pull';
      response.writeHead(right ? 200 : 400).end(JSON.stringify({ access_token: 'granted' }));
    },
  };
  const { base, folder, cache: anonymous } = await setUp(t, answers);
  const file = join(t.testdir(), 'config.json');
  const auths = { [`${base}/refreshed`]: { identitytoken: 'mine' }, [base]: { username: 'me', password: 'secret' } };
  await writeFile(file, JSON.stringify({ auths }), { mode: 0o600 });
  const cache = new ArtifactCache(folder, { ...ownServer, registryAuth: file });
  t.equal((await cache.fetch(`${base}/mine`, signal)).digest, digest);
  t.same(seen, [undefined]);
  t.equal((await cache.fetch(`${base}/refreshed`, signal)).digest, digest);
  await t.rejects(anonymous.fetch(`${base}/mine`, signal), {
    message: `http://${base}/v2/mine/manifests/latest answered 401: this node has no account there; put one into the file that registry_auth_file names in conf.json`,
  });
  await chmod(file, 0o640);
  await t.rejects(cache.fetch(`${base}/mine`, signal), /others may read or write it; chmod it to 0600/);
  if (withoutOtherUser() === false) {
    await chmod(file, 0o600);
    await chown(file, 1000, 1000);
    await t.rejects(cache.fetch(`${base}/mine`, signal), /it belongs to user 1000; chown it to root/);
  }
  const missing = new ArtifactCache(folder, { ...ownServer, registryAuth: '/nowhere' });
  await t.rejects(missing.fetch(`${base}/mine`, signal), /registry_auth_file\) cannot be read/);
});

t.test(
  'a component that is here already is not fetched again, whatever its tag; one that is too large not at all',
  async (t) => {
    const large = JSON.stringify({ layers: [{ mediaType: 'application/wasm', ...blob, size: maxBytes + 1 }] });
    const { cache, base, asked } = await setUp(t, {
      '/v2/a/manifests/one': (response) => response.end(image()),
      '/v2/a/manifests/two': (response) => response.end(image()),
      '/v2/large/manifests/latest': (response) => response.end(large.replace(digest, '1'.repeat(64))),
      [`/v2/a/blobs/sha256:${digest}`]: whole,
    });
    const fetched = await Promise.all(['one', 'two', 'one'].map((tag) => cache.fetch(`${base}/a:${tag}`, signal)));
    t.ok(fetched.every((artifact) => artifact.digest === digest));
    t.equal(asked.filter((path) => path.includes('/blobs/')).length, 1);
    await t.rejects(cache.fetch(`${base}/large`, signal), /larger than 128 MB/);
    t.equal(asked.filter((path) => path.includes('/blobs/')).length, 1);
  },
);

t.test('what a server answers is in no message', async (t) => {
  const secret = 'aws_secret_access_key';
  const scheme = 'aws-secret-access-key';
  const say =
    (status: number, headers = {}) =>
    (response: ServerResponse) =>
      response.writeHead(status, headers).end(`${secret}: {"layers":"${secret}"}`);
  const { cache, base } = await setUp(t, {
    '/text': say(200),
    '/error': say(500),
    '/moved': say(302, { location: `${secret}://x` }),
    '/scheme': say(302, { location: `${scheme}://x` }),
    '/v2/text/manifests/latest': say(200),
    '/v2/error/manifests/latest': say(500),
    '/v2/json/manifests/latest': (response) => response.end(`{"layers":"${secret}"}`),
    '/v2/digest/manifests/latest': (response) => response.end(`{"layers":[{"digest":"${secret}","size":1}]}`),
    '/v2/token/manifests/latest': say(401, { 'www-authenticate': 'Bearer realm="http://TOKEN/"' }),
    '/v2/path/manifests/latest': (response, { headers }) =>
      response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${headers.host}/${secret}"` }).end(secret),
    '/v2/asked/manifests/latest': (response, { headers }) =>
      response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${headers.host}/text"` }).end(secret),
  });
  for (const image of [
    'http:/text',
    'http:/error',
    'http:/moved',
    'http:/scheme',
    'text',
    'error',
    'json',
    'digest',
    'token',
    'asked',
    'path',
  ].map((name) => (name.startsWith('http:') ? `http://${base}${name.slice(5)}` : `${base}/${name}`))) {
    const error: unknown = await cache.fetch(image, signal).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    t.ok(error instanceof Error, image);
    t.notMatch(explain(error), secret, image);
    t.notMatch(explain(error), scheme, image);
  }
});
