import { normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InvalidData } from '../../contract/check.ts';

/** Where a component comes from. `digest` is the SHA-256 that it must have, when the reference says one. */
export type Reference =
  | { readonly kind: 'http'; readonly url: URL; readonly digest: string | undefined }
  | { readonly kind: 'file'; readonly path: string; readonly digest: string | undefined }
  | {
      readonly kind: 'oci';
      readonly registry: string;
      readonly repository: string;
      readonly tag: string;
      readonly digest: string | undefined;
    };

const fail = (text: string, why: string): never => {
  throw new InvalidData('image', [`'${text.slice(0, 200)}': ${why}`]);
};

/** What the first part of a name is when it is a registry and not a part of the repository (distribution/reference). */
const registryPattern = /^(?:localhost|[^/]*[.:A-Z][^/]*)$/;
const hostPattern = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/;
const repositoryPattern =
  /^(?<repository>[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)(?::(?<tag>\w[\w.-]{0,127}))?(?:@(?<manifest>sha256:[0-9a-f]{64}))?$/;

const dockerHub = 'docker.io';

/** Docker's short names: without a registry it is Docker Hub, whose own repositories are below `library`. */
const ociReference = (text: string, digest: string | undefined, whole: string): Reference => {
  const expected = 'expected http(s)://…, file:///…, /path or [registry/]repository[:tag][@sha256:…]';
  const slash = text.indexOf('/');
  const first = slash < 0 ? '' : text.slice(0, slash);
  const named = registryPattern.test(first);
  const registry = named ? first.toLowerCase().replace(/^index\.docker\.io$/, dockerHub) : dockerHub;
  const match = repositoryPattern.exec(named ? text.slice(slash + 1) : text);
  if (!hostPattern.test(registry) || text.length > 512) return fail(whole, expected);
  if (!match?.groups) {
    const isCase = repositoryPattern.test((named ? text.slice(slash + 1) : text).toLowerCase());
    return fail(whole, isCase ? `${expected}; a repository's name and a digest are in lower case` : expected);
  }
  if (!URL.canParse(`https://${registry}/`)) return fail(whole, `'${registry}' is no host`);
  const { repository = '', tag = 'latest', manifest } = match.groups;
  const official = registry === dockerHub && !repository.includes('/');
  return {
    kind: 'oci',
    registry,
    repository: official ? `library/${repository}` : repository,
    tag: manifest ?? tag,
    digest,
  };
};

/**
 * Reads a job's `image`: http(s) or file URL, absolute path, or OCI reference (`oci://`, or `docker://` as skopeo writes
 * it, may stand before it; without a registry it is Docker Hub's), each with an optional `#sha256=<64 hex digits>`.
 * Blanks around it are ignored. Throws {@link InvalidData}.
 */
export const parseReference = (image: string): Reference => {
  const text = image.trim();
  const [bare = '', fragment] = text.split('#', 2);
  const digest = /^sha256[=:]([0-9a-f]{64})$/i.exec(fragment ?? '')?.[1]?.toLowerCase();
  if (fragment !== undefined && digest === undefined) return fail(text, 'after # stands sha256= and 64 hex digits');
  if (bare.startsWith('/')) return { kind: 'file', path: normalize(bare), digest };
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(bare)?.[1]?.toLowerCase();
  if (scheme === undefined) return ociReference(bare, digest, text);
  if (scheme === 'oci' || scheme === 'docker') return ociReference(bare.slice(`${scheme}://`.length), digest, text);
  if (!URL.canParse(bare)) return fail(text, 'this is no URL');
  const url = new URL(bare);
  if (scheme === 'http' || scheme === 'https') return { kind: 'http', url, digest };
  if (scheme !== 'file') return fail(text, `scheme '${scheme}' is unknown; http, https, file and oci are known`);
  if (url.host !== '') return fail(text, 'a file URL has three slashes: file:///path');
  try {
    return { kind: 'file', path: fileURLToPath(url), digest };
  } catch (error) {
    return fail(text, (error as Error).message);
  }
};
