import { execFileSync } from 'node:child_process';
import type { ServerResponse } from 'node:http';
import t from 'tap';
import { ArtifactCache } from '../../../../worker/node-engine/artifacts/artifacts.ts';
import { defaultSources } from '../../../../worker/node-engine/artifacts/sources.ts';
import { inSandbox } from '../../net-manager/sandbox.ts';
import { component, digest, startServer, whole } from '../support/artifact-server.ts';

const signal = new AbortController().signal;

inSandbox(import.meta.url, () => {
  t.test('a registry on the LAN is spoken to without TLS only where conf.json says so', async (t) => {
    execFileSync('ip', ['address', 'add', '192.168.77.1/32', 'dev', 'lo']);
    const layer = { mediaType: 'application/wasm', digest: `sha256:${digest}`, size: component.length };
    const answers = {
      '/v2/app/manifests/latest': (response: ServerResponse) => response.end(JSON.stringify({ layers: [layer] })),
      [`/v2/app/blobs/sha256:${digest}`]: whole,
      '/file': whole,
    };
    const { base, port, asked } = await startServer(t, answers, '192.168.77.1');
    const folder = t.testdir();
    const closed = new ArtifactCache(folder, defaultSources);
    await closed.prepare();
    await t.rejects(closed.fetch(`${base}/app`, signal), new RegExp(`^https://192.168.77.1:${port} does not answer`));
    t.same(asked, []);
    for (const entry of [base, '192.168.77.1']) {
      const open = new ArtifactCache(folder, { ...defaultSources, httpRegistries: [entry] });
      t.equal((await open.fetch(`${base}/app`, signal)).digest, digest, entry);
    }
    t.equal((await closed.fetch(`http://${base}/file`, signal)).digest, digest, 'private networks are allowed');
  });
});
