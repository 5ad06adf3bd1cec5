import { createReadStream } from 'node:fs';
import { text } from 'node:stream/consumers';
import { readCleartextMessage, readKeys, verify } from 'openpgp';
import { labFault } from '../errors.ts';
import { cachePath } from '../files/cache.ts';
import { download } from '../internet/download.ts';
import { requestInternet } from '../internet/internet.ts';
import { packageTree, unxz } from './deb.ts';
import type { LockedPackage } from './lock.ts';

/** A mirror's packages of one architecture by name: what it offers now. */
export type PackageIndex = ReadonlyMap<string, LockedPackage>;

const getText = async (url: string, signal: AbortSignal | undefined): Promise<string> => {
  const response = await requestInternet(url, { signal });
  const body = await text(response);
  if (response.statusCode !== 200) throw labFault(`${url}: HTTP ${response.statusCode}`, ['npm run lab -- doctor']);
  return body;
};

/** The archive's public keys out of the (digest-checked) keyring package. */
const archiveKeys = async (keyring: string) => {
  const files = await Array.fromAsync(packageTree(keyring, (path) => path.startsWith('usr/share/keyrings/')));
  const ring = files.find(({ path, content }) => /debian-archive-keyring\.(pgp|gpg)$/.test(path) && content.length > 0);
  if (!ring) throw labFault(`${keyring} has no archive keys`);
  return readKeys({ binaryKeys: ring.content });
};

/** The text of a suite's InRelease, after one of the archive's keys was seen to have signed it. */
const signedRelease = async (mirror: string, suite: string, keyring: string, signal: AbortSignal | undefined) => {
  const signed = await getText(`${mirror}/dists/${suite}/InRelease`, signal);
  const message = await readCleartextMessage({ cleartextMessage: signed });
  const { signatures } = await verify({ message, verificationKeys: await archiveKeys(keyring) });
  const checked = await Promise.allSettled(signatures.map(({ verified }) => verified));
  if (!checked.some(({ status }) => status === 'fulfilled'))
    throw labFault(`${mirror}: the signature of ${suite} is not the Debian archive's`);
  return message.getText();
};

/** The entries of a Packages file. */
export const parseIndex = (packages: string): PackageIndex => {
  const index = new Map<string, LockedPackage>();
  for (const stanza of packages.split('\n\n')) {
    const fields = new Map<string, string>();
    for (const match of stanza.matchAll(/^(Package|Version|Filename|SHA256|Size): (.+)$/gm))
      fields.set(match[1] ?? '', match[2] ?? '');
    const [name, path, digest] = [fields.get('Package'), fields.get('Filename'), fields.get('SHA256')];
    if (name === undefined || path === undefined || digest === undefined) continue;
    index.set(name, {
      name,
      version: fields.get('Version') ?? '',
      path,
      sha256: digest,
      size: Number(fields.get('Size')),
    });
  }
  return index;
};

/** A part of the archive that has an index of its own. */
export type ArchivePart = { readonly suite: string; readonly component: string; readonly architecture: string };

/**
 * What `mirror` offers in a part of the archive, with a chain of trust from the keyring package
 * over the signed release file to each package's SHA-256. Throws a lab fault when the chain breaks.
 */
export const packageIndex = async (
  mirror: string,
  { suite, component, architecture }: ArchivePart,
  keyring: string,
  signal?: AbortSignal | undefined,
): Promise<PackageIndex> => {
  const release = await signedRelease(mirror, suite, keyring, signal);
  const name = `${component}/binary-${architecture}/Packages.xz`;
  const digest = new RegExp(`^ ([0-9a-f]{64}) +\\d+ ${name.replaceAll('.', '\\.')}$`, 'm').exec(release)?.[1];
  if (digest === undefined) throw labFault(`${mirror}: ${suite} has no ${name}`);
  const packed = await download(
    `${mirror}/dists/${suite}/${name}`,
    digest,
    cachePath('indexes', `${digest}.xz`),
    signal,
  );
  return parseIndex(await text(unxz(createReadStream(packed))));
};
