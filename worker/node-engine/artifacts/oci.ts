import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import Type, { type Static } from 'typebox';
import { parseJson } from '../../contract/check.ts';
import { FetchError, get, type Incoming } from './download.ts';
import { readBytes, readText } from './http.ts';
import type { Reference } from './reference.ts';

type OciReference = Extract<Reference, { kind: 'oci' }>;

const Manifest = Type.Object({
  layers: Type.Array(
    Type.Object({
      mediaType: Type.String(),
      digest: Type.String({ pattern: '^sha256:[0-9a-f]{64}$' }),
      size: Type.Integer({ minimum: 0 }),
    }),
  ),
});

const Token = Type.Object({ token: Type.Optional(Type.String()), access_token: Type.Optional(Type.String()) });

const manifestTypes =
  'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json';

/** The layer that holds the component: the one with a wasm media type, or the only one. */
export const componentLayer = (manifest: Static<typeof Manifest>): { digest: string; size: number } | undefined => {
  const named = manifest.layers.filter((layer) => layer.mediaType.includes('wasm'));
  const candidates = named.length > 0 ? named : manifest.layers;
  return candidates.length === 1 ? candidates[0] : undefined;
};

/** Where to ask for a token, from a `WWW-Authenticate: Bearer …` header (OCI distribution's token authentication). */
export const tokenUrl = (header: string): URL | undefined => {
  if (!/^bearer /i.test(header)) return undefined;
  const parts = new Map([...header.matchAll(/(\w+)="([^"]*)"/g)].map((match) => [match[1] ?? '', match[2] ?? '']));
  const realm = parts.get('realm');
  if (realm === undefined || !URL.canParse(realm)) return undefined;
  const url = new URL(realm);
  for (const key of ['service', 'scope']) {
    const value = parts.get(key);
    if (value !== undefined) url.searchParams.set(key, value);
  }
  return url;
};

const isLoopback = (registry: string): boolean => /^(localhost|127\.[0-9.]+|\[::1\])(:\d+)?$/.test(registry);

/** A repository read without an account, with the token that the registry hands out to anyone. */
class Repository {
  readonly #base: string;
  readonly #signal: AbortSignal;
  #authorization: Readonly<Record<string, string>> = {};

  constructor(reference: OciReference, signal: AbortSignal) {
    const scheme = isLoopback(reference.registry) ? 'http' : 'https';
    this.#base = `${scheme}://${reference.registry}/v2/${reference.repository}`;
    this.#signal = signal;
  }

  async #authorize(answer: IncomingMessage): Promise<void> {
    const url = tokenUrl(answer.headers['www-authenticate'] ?? '');
    if (url === undefined) throw new FetchError(`${this.#base} wants an account, which the engine has none of`);
    const text = await readText(await get(url, {}, this.#signal), 65_536);
    const { token, access_token: access = token } = parseJson(Token, text, `the token from ${url.origin}`);
    this.#authorization = { authorization: `Bearer ${access ?? ''}` };
  }

  async get(path: string, headers: Readonly<Record<string, string>>): Promise<IncomingMessage> {
    const url = new URL(`${this.#base}/${path}`);
    let answer = await get(url, { ...headers, ...this.#authorization }, this.#signal);
    if (answer.statusCode === 401) {
      answer.destroy();
      await this.#authorize(answer);
      answer = await get(url, { ...headers, ...this.#authorization }, this.#signal);
    }
    if (answer.statusCode === 200) return answer;
    answer.destroy();
    throw new FetchError(`${url.href} answered ${answer.statusCode}`);
  }
}

/** Refuses a manifest that is not the one that a reference names by its digest; under a tag any will do. */
const checkPinned = (manifest: Buffer, tag: string): void => {
  if (!tag.startsWith('sha256:')) return;
  const wanted = tag.slice('sha256:'.length);
  const digest = createHash('sha256').update(manifest).digest('hex');
  if (digest !== wanted) throw new FetchError(`the manifest's SHA-256 is ${digest}, expected ${wanted}`);
};

/**
 * Opens the component in an OCI registry; a registry on the loopback address is spoken to without TLS. A manifest that
 * is named by its digest has to have it. Throws {@link FetchError}.
 */
export const openOci = async (reference: OciReference, signal: AbortSignal): Promise<Incoming> => {
  const repository = new Repository(reference, signal);
  const answer = await repository.get(`manifests/${reference.tag}`, { accept: manifestTypes });
  const bytes = await readBytes(answer, 4_194_304);
  checkPinned(bytes, reference.tag);
  const manifest = parseJson(Manifest, bytes.toString('utf8'), 'the manifest');
  const layer = componentLayer(manifest);
  if (layer === undefined)
    throw new FetchError(`the manifest of ${reference.repository} does not have exactly one WebAssembly layer`);
  const blob = await repository.get(`blobs/${layer.digest}`, {});
  return { bytes: blob, size: layer.size, digest: layer.digest.slice('sha256:'.length) };
};
