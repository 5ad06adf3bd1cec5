import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { FetchError, get, type Incoming } from './download.ts';
import type { Reference } from './reference.ts';

const sizeOf = (answer: IncomingMessage): number | undefined => {
  const text = answer.headers['content-length'];
  return text === undefined ? undefined : Number(text);
};

const fromHttp = async (url: URL, signal: AbortSignal): Promise<Incoming> => {
  const answer = await get(url, {}, signal);
  if (answer.statusCode !== 200) {
    answer.destroy();
    throw new FetchError(`${url.origin}${url.pathname} answered ${answer.statusCode}`);
  }
  return { bytes: answer, size: sizeOf(answer) };
};

const fromFile = async (path: string, signal: AbortSignal): Promise<Incoming> => {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw new FetchError(`${path} cannot be read`, { cause: error });
  });
  const stat = await file.stat();
  if (!stat.isFile()) {
    await file.close();
    throw new FetchError(`${path} is not a regular file`);
  }
  return { bytes: file.createReadStream({ signal }), size: stat.size };
};

/** Opens the source that a reference names. Throws {@link FetchError}. */
export const openReference = async (reference: Reference, signal: AbortSignal): Promise<Incoming> => {
  if (reference.kind === 'http') return fromHttp(reference.url, signal);
  if (reference.kind === 'file') return fromFile(reference.path, signal);
  const { openOci } = await import('./oci.ts');
  return openOci(reference, signal);
};
