import { createWriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { labFault, messageOf } from '../errors.ts';
import { cached } from '../files/cache.ts';
import { fileDigest } from '../files/digest.ts';
import { requestInternet } from './internet.ts';

const attempts = 3;
const stallMs = 30_000;

/** A server said that it does not have the file; trying again would not help. */
export class NotFound extends Error {
  override readonly name = 'NotFound';
}

/** Appends what is missing of `url` to `file`; starts anew when the server does not resume. */
const fetchRest = async (url: string, file: string, signal: AbortSignal | undefined): Promise<void> => {
  const have = await fs.stat(file).then(
    (stat) => stat.size,
    () => 0,
  );
  const stalled = new AbortController();
  let timer = setTimeout(() => stalled.abort(new Error(`nothing came for ${stallMs / 1000} s`)), stallMs);
  try {
    const response = await requestInternet(url, {
      headers: have > 0 ? { range: `bytes=${have}-` } : {},
      signal: AbortSignal.any([stalled.signal, ...(signal ? [signal] : [])]),
    });
    const { statusCode: status = 0 } = response;
    if (status !== 200 && status !== 206) response.destroy();
    if (status === 404 || status === 410) throw new NotFound(`${url}: ${status}`);
    if (status === 416) return;
    if (status !== 200 && status !== 206) throw new Error(`${url}: HTTP ${status}`);
    const flags = status === 206 ? 'a' : 'w';
    await pipeline(
      response,
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          clearTimeout(timer);
          timer = setTimeout(() => stalled.abort(new Error(`nothing came for ${stallMs / 1000} s`)), stallMs);
          yield chunk;
        }
      },
      createWriteStream(file, { flags }),
    );
  } finally {
    clearTimeout(timer);
  }
};

/**
 * `file`, downloaded from `url` unless it is there already. It gets its name only when its SHA-256 is `sha256`; a
 * broken transfer is resumed. Throws {@link NotFound} when the server does not have it (any more), a lab fault else.
 */
export const download = async (
  url: string,
  sha256: string,
  file: string,
  signal?: AbortSignal | undefined,
): Promise<string> =>
  cached(
    file,
    async (temporary) => {
      let last: unknown;
      for (let attempt = 0; attempt < attempts; attempt++) {
        signal?.throwIfAborted();
        try {
          await fetchRest(url, temporary, signal);
          const digest = await fileDigest(temporary);
          if (digest === sha256) return;
          await fs.rm(temporary, { force: true });
          last = new Error(`SHA-256 is ${digest}, expected ${sha256}`);
        } catch (error) {
          signal?.throwIfAborted();
          if (error instanceof NotFound) throw error;
          if ((error as NodeJS.ErrnoException).code === 'ENOSPC')
            throw labFault(`no space left for ${file}`, ['npm run lab -- clean --cache']);
          last = error;
        }
      }
      throw labFault(`could not download ${url} (${messageOf(last)})`, ['npm run lab -- doctor']);
    },
    { signal },
  );
