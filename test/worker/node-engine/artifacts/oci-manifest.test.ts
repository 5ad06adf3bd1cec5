import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import t from 'tap';
import { componentLayer, inOrder, readManifest } from '../../../../worker/node-engine/artifacts/oci/manifest.ts';
import { component, digest, setUp, whole } from '../support/artifact-server.ts';

const signal = new AbortController().signal;
const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');
const blob = { digest: `sha256:${digest}`, size: component.length };
const image = (mediaType = 'application/wasm') => JSON.stringify({ layers: [{ mediaType, ...blob }] });

t.test('layers of today and of older tools are found, whatever stands beside them', async (t) => {
  const layer = (mediaType: string, size = 1) => ({ mediaType, digest: `sha256:${digest}`, size });
  for (const type of [
    'application/wasm',
    'application/vnd.wasm.content.layer.v1+wasm',
    'application/vnd.module.wasm.content.layer.v1+wasm',
    'application/vnd.bytecodealliance.wasm.component.layer.v0+wasm',
  ])
    t.equal(componentLayer([layer('text/plain'), layer(type), layer(type, 2)], false)?.mediaType, type);
  t.equal(componentLayer([layer('application/vnd.wasm.config.v1+json'), layer('text/plain')], true), undefined);
  t.equal(componentLayer([], true), undefined);
  t.ok(componentLayer([layer('application/vnd.oci.image.layer.v1.tar')], true), 'what oras calls any file');
  t.notOk(componentLayer([layer('application/vnd.oci.image.layer.v1.tar')], false));
  t.notOk(componentLayer([layer('application/vnd.oci.image.layer.v1.tar+gzip')], true), 'an image for containers');
  t.match(
    readManifest(
      `{"layers":[null,7,{"digest":"md5:1","size":1},{"digest":"sha256:${digest}","size":3,"mediaType":null}]}`,
    ),
    {
      layers: [{ size: 3 }],
    },
  );
  for (const text of ['', 'null', '[]', '{"layers":7}', '<html>']) t.equal(readManifest(text), undefined, text);
});

t.test('of an index the manifest for WebAssembly is taken, else the first that has a component', async (t) => {
  const of = (os: string, architecture: string) => ({ ...blob, platform: { os, architecture } });
  const order = inOrder([of('unknown', 'unknown'), of('linux', 'arm64'), of('wasip1', 'wasm'), blob]);
  t.same(
    order.map(({ platform }) => platform?.os),
    ['wasip1', 'linux', undefined, 'unknown'],
  );
  const container = JSON.stringify({
    layers: [{ mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', ...blob }],
  });
  const untyped = image('application/vnd.oci.image.layer.v1.tar');
  const entry = (text: string, more = {}) => ({
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: `sha256:${sha256(text)}`,
    size: text.length,
    ...more,
  });
  const linux = { platform: { os: 'linux', architecture: 'amd64' } };
  const index = (...manifests: readonly unknown[]) => JSON.stringify({ schemaVersion: 2, manifests });
  const nested = index(entry(image()));
  const served = Object.fromEntries(
    [container, untyped, image(), nested].map((text) => [`/v2/a/manifests/sha256:${sha256(text)}`, text]),
  );
  const { cache, base } = await setUp(t, {
    ...Object.fromEntries(
      Object.entries({
        ...served,
        '/v2/a/manifests/platform': index(
          entry(container, linux),
          entry(untyped, { platform: { os: 'wasi', architecture: 'wasm' } }),
        ),
        '/v2/a/manifests/first': index(null, entry(container, linux), entry(image())),
        '/v2/a/manifests/nested': index(entry(nested)),
        '/v2/a/manifests/containers': index(entry(container, linux)),
        '/v2/a/manifests/empty': index(),
      }).map(([path, text]) => [path, (response: ServerResponse) => response.end(text)]),
    ),
    [`/v2/a/blobs/sha256:${digest}`]: whole,
  });
  for (const tag of ['platform', 'first', 'nested'])
    t.equal((await cache.fetch(`${base}/a:${tag}`, signal)).digest, digest, tag);
  for (const tag of ['containers', 'empty'])
    await t.rejects(cache.fetch(`${base}/a:${tag}`, signal), /no layer of WebAssembly; push the component itself/, tag);
});
