import Type, { type Static } from 'typebox';
import { readJson } from '../../../contract/read.ts';

/** What a manifest says of a blob or of another manifest (OCI image specification, descriptor.md). */
const Descriptor = Type.Object({
  mediaType: Type.Optional(Type.String()),
  digest: Type.String({ pattern: '^sha256:[0-9a-f]{64}$' }),
  size: Type.Integer({ minimum: 0 }),
  artifactType: Type.Optional(Type.String()),
  platform: Type.Optional(
    Type.Object({ os: Type.Optional(Type.String()), architecture: Type.Optional(Type.String()) }),
  ),
});
export type Descriptor = Static<typeof Descriptor>;

/** What a registry serves under a tag: layers, or manifests for several platforms. */
type Manifest =
  | { readonly kind: 'image'; readonly layers: readonly Descriptor[] }
  | { readonly kind: 'index'; readonly manifests: readonly Descriptor[] };

/** The media types that are asked for. */
export const manifestTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];

const Document = Type.Object({
  layers: Type.Optional(Type.Array(Descriptor)),
  manifests: Type.Optional(Type.Array(Descriptor)),
});

/** Reads a manifest or an index; entries that cannot be understood are left out. Undefined for anything else. */
export const readManifest = (text: string): Manifest | undefined => {
  try {
    const { layers, manifests } = readJson(Document, text, 'the manifest', () => undefined);
    if (manifests !== undefined) return { kind: 'index', manifests };
    return layers && { kind: 'image', layers };
  } catch {
    return undefined; // why would be in the registry's words
  }
};

/**
 * Layers that are a module or a component: of today (CNCF TAG Runtime, "Wasm OCI Artifact layout") and of older tools
 * (wasm-to-oci, krustlet, wkg's first versions). Types of configurations are none of these.
 */
const isWasmLayer = ({ mediaType = '' }: Descriptor): boolean =>
  mediaType === 'application/wasm' || /^application\/vnd\.[\w.-]*\bwasm\b[\w.-]*\.layer\.v\d+\+wasm$/.test(mediaType);

const isArchive = ({ mediaType = '' }: Descriptor): boolean => /gzip|zstd|rootfs/.test(mediaType);

/**
 * The layer that holds the component: the first of WebAssembly. With `guess` the only one of all will do, too, unless
 * it is a compressed archive: tools like oras give a file any type.
 */
export const componentLayer = (layers: readonly Descriptor[], guess: boolean): Descriptor | undefined => {
  const named = layers.find(isWasmLayer);
  if (named !== undefined) return named;
  const [only, ...others] = layers;
  return guess && others.length === 0 && only !== undefined && !isArchive(only) ? only : undefined;
};

/** True for a manifest of an index whose platform is WebAssembly (`wasm`, with `wasi`, `wasip1` or `wasip2` as its system). */
export const isForWasm = ({ platform, artifactType = '' }: Descriptor): boolean =>
  platform?.architecture === 'wasm' || /^wasip?\d*$/.test(platform?.os ?? '') || artifactType.includes('wasm');

/** The manifests of an index in the order in which they are worth looking at: those for WebAssembly first. */
export const inOrder = (manifests: readonly Descriptor[]): readonly Descriptor[] => {
  const rank = (one: Descriptor) => (isForWasm(one) ? 0 : one.platform?.os === 'unknown' ? 2 : 1);
  return manifests.toSorted((a, b) => rank(a) - rank(b));
};
