import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Incoming } from './download.ts';
import { FetchError } from './fetch-error.ts';

/** The most bytes that a component may have. */
export const maxBytes = 128 * 1024 * 1024;

export const tooLarge = (): never => {
  throw new FetchError(`the component is larger than ${maxBytes / 1024 / 1024} MB`);
};

/** The same bytes; a source that fails says that it was a download. */
const wholly = async function* (bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* bytes;
  } catch (error) {
    throw new FetchError('the download broke off', { cause: error });
  }
};

const write = async (file: FileHandle, chunk: Buffer): Promise<void> => {
  await file.writeFile(chunk).catch((error: NodeJS.ErrnoException) => {
    const full = error.code === 'ENOSPC' || error.code === 'EDQUOT';
    throw full ? new FetchError('the disk of the cache is full', { cause: error }) : error;
  });
};

/** Writes bytes to an empty file while they come, and resolves with their SHA-256. Throws {@link FetchError}. */
export const save = async ({ bytes, size: announced }: Incoming, file: FileHandle): Promise<string> => {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of wholly(bytes)) {
    size += chunk.length;
    if (size > maxBytes) tooLarge();
    hash.update(chunk);
    await write(file, chunk);
  }
  if (announced !== undefined && size !== announced)
    throw new FetchError(`the download ended after ${size} of ${announced} bytes`);
  return hash.digest('hex');
};

/** The SHA-256 of a file, of which no more than a piece is in memory at a time. */
export const digestOf = async (file: FileHandle): Promise<string> => {
  const hash = createHash('sha256');
  const piece = Buffer.alloc(1 << 20);
  for (let at = 0; ; ) {
    const { bytesRead } = await file.read(piece, 0, piece.length, at);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(piece.subarray(0, bytesRead));
    at += bytesRead;
  }
};
