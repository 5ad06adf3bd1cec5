import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import Type from 'typebox';
import { readJson } from '../../../contract/read.ts';
import { get, type Located } from '../download.ts';
import { FetchError } from '../fetch-error.ts';
import { readBytes } from '../http.ts';
import { bareHost, isLoopback } from '../local-address.ts';
import type { Reference } from '../reference.ts';
import { maxBytes, tooLarge } from '../save.ts';
import { namesHost, type Sources } from '../sources.ts';
import { type Account, accountFor } from './account.ts';
import { readChallenges, tokenUrl } from './challenge.ts';
import { componentLayer, type Descriptor, inOrder, isForWasm, manifestTypes, readManifest } from './manifest.ts';

type Headers = Readonly<Record<string, string>>;
type OciReference = Extract<Reference, { kind: 'oci' }>;

const Token = Type.Object({ token: Type.Optional(Type.String()), access_token: Type.Optional(Type.String()) });

const maxManifestBytes = 4 * 1024 * 1024;
const maxTokenBytes = 64 * 1024;

/** How many manifests of an index are looked at. */
const maxManifests = 8;

const basic = ({ user, password }: Extract<Account, { user: string }>): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

/** A repository in a registry, with the right to read it as soon as the registry has asked for one. */
class Repository {
  readonly #reference: OciReference;
  readonly #sources: Sources;
  readonly #base: URL;
  #authorization: Headers = {};

  constructor(reference: OciReference, sources: Sources) {
    const { registry, repository } = reference;
    this.#reference = reference;
    this.#sources = sources;
    const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
    const plain = new URL(`http://${host}`);
    // Nobody is between a node and its own loopback address.
    const scheme = isLoopback(bareHost(plain)) || namesHost(sources.httpRegistries, plain) ? 'http' : 'https';
    this.#base = new URL(`${scheme}://${host}/v2/${repository}/`);
  }

  /** A blob or a manifest; asks for the right to read when the registry wants that. Throws {@link FetchError}. */
  async get(path: string, headers: Headers, signal: AbortSignal): Promise<IncomingMessage> {
    const url = new URL(path, this.#base);
    const { localHosts } = this.#sources;
    const ask = () => get(url, { headers: { ...headers, ...this.#authorization }, localHosts, signal });
    let answer = await ask();
    if (answer.statusCode === 401 && this.#authorization['authorization'] === undefined) {
      answer.destroy();
      const account = await this.#authorize(answer.headers['www-authenticate'] ?? '', signal);
      answer = await ask();
      if (answer.statusCode === 401 || answer.statusCode === 403) this.#refuse(answer, url, account);
    }
    if (answer.statusCode === 200) return answer;
    answer.destroy();
    throw new FetchError(`${url.href} answered ${answer.statusCode}`);
  }

  #refuse(answer: IncomingMessage, url: URL, account: Account | undefined): never {
    answer.destroy();
    const why =
      account === undefined
        ? 'this node has no account there; put one into the file that registry_auth_file names in conf.json'
        : "it does not let this node's account read there";
    throw new FetchError(`${url.href} answered ${answer.statusCode}: ${why}`);
  }

  async #authorize(header: string, signal: AbortSignal): Promise<Account | undefined> {
    const { registry, repository } = this.#reference;
    const account = await accountFor(this.#sources.registryAuth, registry, repository);
    const challenges = readChallenges(header);
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    const url = bearer && tokenUrl(bearer, repository);
    if (url !== undefined) this.#authorization = { authorization: `Bearer ${await this.#token(url, account, signal)}` };
    else if (account !== undefined && 'user' in account && challenges.some(({ scheme }) => scheme === 'basic'))
      this.#authorization = { authorization: basic(account) };
    return account;
  }

  async #token(url: URL, account: Account | undefined, signal: AbortSignal): Promise<string> {
    if (account !== undefined && this.#base.protocol === 'https:' && url.protocol !== 'https:')
      throw new FetchError(
        `${this.#base.origin} wants credentials sent to ${url.origin} without TLS, which is refused`,
      );
    const { localHosts } = this.#sources;
    const common = { localHosts, signal };
    const answer = await (account === undefined || 'user' in account
      ? get(url, { ...common, ...(account && { headers: { authorization: basic(account) } }) })
      : get(new URL(url.pathname, url), { ...common, form: refreshForm(url, account.identityToken) }));
    if (answer.statusCode !== 200) {
      answer.destroy();
      throw new FetchError(`${url.origin} answered ${answer.statusCode} when asked for a token`);
    }
    const text = (await readBytes(answer, maxTokenBytes)).toString('utf8');
    const token = tokenIn(text);
    if (token === undefined) throw new FetchError(`${url.origin} gave no token when asked for one`);
    return token;
  }
}

/** How a token is had for an identity token (distribution, "OAuth2 token authentication"). */
const refreshForm = (url: URL, identityToken: string): Readonly<Record<string, string>> => ({
  grant_type: 'refresh_token',
  client_id: 'oakestra-worker',
  service: url.searchParams.get('service') ?? '',
  scope: url.searchParams.get('scope') ?? '',
  refresh_token: identityToken,
});

const tokenIn = (text: string): string | undefined => {
  try {
    const { token, access_token: access } = readJson(Token, text, 'the token', () => undefined);
    const either = token || access;
    return either !== undefined && /^[\x21-\x7e]+$/.test(either) ? either : undefined;
  } catch {
    return undefined; // why would be in the server's words
  }
};

/** The bytes of a manifest. One that is named by its digest has to have it; under a tag any will do. */
const fetchManifest = async (repository: Repository, tag: string, signal: AbortSignal): Promise<Buffer> => {
  const answer = await repository.get(`manifests/${tag}`, { accept: manifestTypes.join(', ') }, signal);
  const manifest = await readBytes(answer, maxManifestBytes);
  if (!tag.startsWith('sha256:')) return manifest;
  const wanted = tag.slice('sha256:'.length);
  const digest = createHash('sha256').update(manifest).digest('hex');
  if (digest !== wanted) throw new FetchError(`the manifest's SHA-256 is ${digest}, expected ${wanted}`);
  return manifest;
};

/** The layer of a manifest, or of the first one of an index that has a component; undefined when there is none. */
const findLayer = async (
  repository: Repository,
  tag: string,
  guess: boolean,
  depth: number,
  signal: AbortSignal,
): Promise<Descriptor | undefined> => {
  const manifest = readManifest((await fetchManifest(repository, tag, signal)).toString('utf8'));
  if (manifest === undefined) throw new FetchError(`what the registry has as ${tag} is no OCI manifest`);
  if (manifest.kind === 'image') return componentLayer(manifest.layers, guess);
  if (depth === 0) return undefined;
  for (const one of inOrder(manifest.manifests).slice(0, maxManifests)) {
    const layer = await findLayer(repository, one.digest, isForWasm(one), depth - 1, signal);
    if (layer !== undefined) return layer;
  }
  return undefined;
};

/** Finds the component in an OCI registry. Throws {@link FetchError}. */
export const locateOci = async (reference: OciReference, sources: Sources, signal: AbortSignal): Promise<Located> => {
  const repository = new Repository(reference, sources);
  const layer = await findLayer(repository, reference.tag, true, 2, signal);
  if (layer === undefined)
    throw new FetchError(
      `${reference.registry}/${reference.repository} has no layer of WebAssembly; push the component itself, with wkg or oras and the type application/wasm`,
    );
  const { digest, size } = layer;
  return {
    digest: digest.slice('sha256:'.length),
    open: async (limit) => {
      if (size > maxBytes) tooLarge(); // before anything comes
      return { bytes: await repository.get(`blobs/${digest}`, {}, limit), size };
    },
  };
};
