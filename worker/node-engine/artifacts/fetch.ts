import { get, type Incoming } from './download.ts';
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

/** Opens the source that a reference names. Throws {@link FetchError}. */
export const openReference = async (reference: Reference, sources: Sources, signal: AbortSignal): Promise<Incoming> => {
  if (reference.kind === 'http') return fromHttp(reference.url, sources, signal);
  if (reference.kind === 'file') return openLocalFile(reference.path, sources.folders, signal);
  const { openOci } = await import('./oci/registry.ts');
  return openOci(reference, sources, signal);
};
