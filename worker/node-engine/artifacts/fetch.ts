import { get, type Incoming, type Located } from './download.ts';
import { FetchError } from './fetch-error.ts';
import { openLocalFile } from './local-file.ts';
import type { Reference } from './reference.ts';
import type { Sources } from './sources.ts';

const fromHttp = async (url: URL, { localHosts }: Sources, signal: AbortSignal): Promise<Incoming> => {
  const answer = await get(url, { localHosts, signal });
  if (answer.statusCode !== 200) {
    answer.destroy();
    throw new FetchError(`${url.origin}${url.pathname} answered ${answer.statusCode}`);
  }
  const size = answer.headers['content-length'];
  return { bytes: answer, size: size === undefined ? undefined : Number(size) };
};

/** Finds what a reference names; only registries are asked for that. Throws {@link FetchError}. */
export const locate = async (reference: Reference, sources: Sources, signal: AbortSignal): Promise<Located> => {
  if (reference.kind === 'http') return { open: (limit) => fromHttp(reference.url, sources, limit) };
  if (reference.kind === 'file') return { open: (limit) => openLocalFile(reference.path, sources.folders, limit) };
  const { locateOci } = await import('./oci/registry.ts');
  return locateOci(reference, sources, signal);
};
