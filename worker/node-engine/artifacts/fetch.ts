import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream';
import { get, type Incoming, type Located } from './download.ts';
import { FetchError } from './fetch-error.ts';
import { openLocalFile } from './local-file.ts';
import type { Reference } from './reference.ts';
import type { Sources } from './sources.ts';

/** What a server packs although it was not asked to, as object stores do with what was put there packed (RFC 9110, 8.4.1). */
const unpacker = (encoding: string) => {
  const zlib = process.getBuiltinModule('node:zlib');
  if (encoding === 'gzip' || encoding === 'x-gzip') return zlib.createGunzip();
  if (encoding === 'deflate') return zlib.createInflate();
  return encoding === 'br' ? zlib.createBrotliDecompress() : undefined;
};

/** The bytes of an answer as they were before they were packed. Throws {@link FetchError}. */
const unpacked = (answer: IncomingMessage, where: string): Incoming => {
  const encoding = (answer.headers['content-encoding'] ?? '').trim().toLowerCase();
  if (encoding === '' || encoding === 'identity') {
    const size = answer.headers['content-length'];
    return { bytes: answer, size: size === undefined ? undefined : Number(size) };
  }
  const bytes = unpacker(encoding);
  if (bytes === undefined) {
    answer.destroy();
    throw new FetchError(`${where} answered in an encoding that is not known; gzip, deflate and br are`);
  }
  // Whoever reads is told of what goes wrong.
  return { bytes: pipeline(answer, bytes, () => undefined) };
};

const plain = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a percent sign that stands for itself
  }
};

/** The user and the password that a URL may have before its host. */
const accountIn = ({ username, password }: URL): Readonly<Record<string, string>> => {
  if (username === '' && password === '') return {};
  const account = Buffer.from(`${plain(username)}:${plain(password)}`).toString('base64');
  return { authorization: `Basic ${account}` };
};

const fromHttp = async (url: URL, { localHosts }: Sources, signal: AbortSignal): Promise<Incoming> => {
  const answer = await get(url, { headers: accountIn(url), localHosts, signal });
  const where = `${url.origin}${url.pathname}`;
  if (answer.statusCode !== 200) {
    answer.destroy();
    throw new FetchError(`${where} answered ${answer.statusCode}`);
  }
  return unpacked(answer, where);
};

/** Finds what a reference names; only registries are asked for that. Throws {@link FetchError}. */
export const locate = async (reference: Reference, sources: Sources, signal: AbortSignal): Promise<Located> => {
  if (reference.kind === 'http') return { open: (limit) => fromHttp(reference.url, sources, limit) };
  if (reference.kind === 'file') return { open: (limit) => openLocalFile(reference.path, sources.folders, limit) };
  const { locateOci } = await import('./oci/registry.ts');
  return locateOci(reference, sources, signal);
};
