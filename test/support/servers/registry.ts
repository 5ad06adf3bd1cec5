import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../../lab/system/errors.ts';
import { fetchTools, type Program } from '../../../lab/system/packages/tools.ts';
import { deadline, until } from '../../../lab/system/wait.ts';
import { withoutDocker } from '../docker.ts';

const image = 'registry:2';
const registryPort = 5000;
const startMs = 120_000;
const fetchMs = 300_000;

/** The only account of a registry that wants a password, and its line in an htpasswd file (bcrypt). */
export const account = { user: 'worker', password: 'correct horse' } as const;
const htpasswd = `${account.user}:$2b$05$9QIc/vIlH8WSiprhZGWJAO60Efb/IIPUAC2CDncQzRqwq5MJKU9XO\n`;

/** What a registry wants to see: a password, or a token from a server whose certificate is in PEM. */
export type Guard =
  | { readonly kind: 'password' }
  | { readonly kind: 'token'; readonly realm: string; readonly certificate: string };

/** A registry that runs; `url` has no path. */
type Running = AsyncDisposable & { readonly url: string };

/** Starts the CNCF's distribution with its files in a folder. */
export type StartRegistry = (folder: string, guard: Guard) => Promise<Running>;

/** What a token server and a registry agree on. */
export const tokenService = { service: 'registry.test', issuer: 'issuer.test' } as const;

const configuration = (at: (name: string) => string, address: string, guard: Guard): string =>
  JSON.stringify({
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: at('storage') } },
    http: { addr: address, secret: 'of a test' },
    auth:
      guard.kind === 'password'
        ? { htpasswd: { realm: 'test', path: at('htpasswd') } }
        : { token: { realm: guard.realm, ...tokenService, rootcertbundle: at('token.pem') } },
  });

const files = (guard: Guard): Readonly<Record<string, string>> => ({
  htpasswd,
  ...(guard.kind === 'token' ? { 'token.pem': guard.certificate } : {}),
});

const inContainer: StartRegistry = async (_folder, guard) => {
  const { GenericContainer } = await import('testcontainers');
  const at = (name: string) => `/etc/docker/registry/${name}`;
  const content = [
    { target: at('config.yml'), content: configuration(at, `0.0.0.0:${registryPort}`, guard) },
    ...Object.entries(files(guard)).map(([name, text]) => ({ target: at(name), content: text })),
  ];
  const container = await new GenericContainer(image)
    .withExposedPorts(registryPort)
    .withCopyContentToContainer(content)
    .start();
  return {
    url: `http://${container.getHost()}:${container.getMappedPort(registryPort)}`,
    [Symbol.asyncDispose]: async () => void (await container.stop()),
  };
};

const asProcess =
  ({ file, args }: Program): StartRegistry =>
  async (folder, guard) => {
    const at = (name: string) => join(folder, name);
    for (const [name, text] of Object.entries(files(guard))) await writeFile(at(name), text);
    await writeFile(at('config.yml'), configuration(at, '127.0.0.1:0', guard));
    const child = spawn(file, [...args, 'serve', at('config.yml')], { stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = once(child, 'exit');
    const end = async () => {
      child.kill('SIGKILL');
      await ended;
    };
    let output = '';
    child.stderr.on('data', (text) => (output += String(text)));
    const listening = () => {
      if (child.exitCode !== null) throw new Error(`the registry ended: ${output}`);
      return /listening on (127\.0\.0\.1:\d+)/.exec(output)?.[1];
    };
    try {
      const address = await until(listening, deadline(startMs, 'the registry to listen'));
      return { url: `http://${address}`, [Symbol.asyncDispose]: end };
    } catch (error) {
      await end();
      throw error;
    }
  };

/** How a registry can be started on this computer: in a container, else out of Debian's packages; or why it can't be. */
export const findRegistry = async (): Promise<StartRegistry | string> => {
  const reason = await withoutDocker();
  if (reason === undefined) return inContainer;
  return fetchTools('registry', undefined, AbortSignal.timeout(fetchMs)).then(
    (tools) => asProcess(tools.program('usr/bin/docker-registry')),
    (error: unknown) => `${reason}, and no package of a registry: ${messageOf(error)}`,
  );
};

const digestOf = (bytes: Uint8Array | string): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** Puts blobs and manifests into a repository as any client does (OCI distribution specification, "Push"). */
export const pusher = (url: string, repository: string, authorization: string) => {
  const send = async (
    method: string,
    target: string,
    body?: Uint8Array | string,
    type = 'application/octet-stream',
  ) => {
    const headers = { authorization, ...(body === undefined ? {} : { 'content-type': type }) };
    const answer = await fetch(target, { method, headers, ...(body === undefined ? {} : { body: Buffer.from(body) }) });
    if (!answer.ok) throw new Error(`${method} ${target}: ${answer.status} ${await answer.text()}`);
    return answer;
  };
  return {
    blob: async (bytes: Uint8Array | string, mediaType: string) => {
      const begun = await send('POST', `${url}/v2/${repository}/blobs/uploads/`);
      const place = new URL(begun.headers.get('location') ?? '', url);
      const digest = digestOf(bytes);
      place.searchParams.set('digest', digest);
      await send('PUT', place.href, bytes);
      return { mediaType, digest, size: Buffer.byteLength(bytes) };
    },
    /** `tag` undefined: by its digest alone. */
    manifest: async (document: object, mediaType: string, tag?: string) => {
      const text = JSON.stringify({ schemaVersion: 2, mediaType, ...document });
      const digest = digestOf(text);
      await send('PUT', `${url}/v2/${repository}/manifests/${tag ?? digest}`, text, mediaType);
      return { mediaType, digest, size: Buffer.byteLength(text) };
    },
  };
};
