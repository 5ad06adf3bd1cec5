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

/** The least that has to come within a time, in bytes and ms. */
type Pace = { readonly bytes: number; readonly ms: number };

/** A source that sends less keeps others waiting: 4 KB/s, which any line has that a board can be used with. */
const usualPace: Pace = { bytes: 120_000, ms: 30_000 };

/** Breaks bytes off that come too slowly, from now on until it is disposed of; `received` tells how many have come. */
const holdPace = (bytes: Incoming['bytes'], pace: Pace, received: () => number) => {
  let [before, slow] = [0, false];
  const timer = setInterval(() => {
    slow ||= received() - before < pace.bytes;
    before = received();
    if (slow) bytes.destroy();
  }, pace.ms);
  return { isSlow: () => slow, [Symbol.dispose]: () => clearInterval(timer) };
};

/**
 * Writes bytes to an empty file while they come, and resolves with their SHA-256. Throws {@link FetchError}, also for a
 * source that is slower than `pace`.
 */
export const save = async (incoming: Incoming, file: FileHandle, pace: Pace = usualPace): Promise<string> => {
  const { bytes, size: announced } = incoming;
  const hash = createHash('sha256');
  let size = 0;
  using held = holdPace(bytes, pace, () => size);
  try {
    for await (const chunk of wholly(bytes)) {
      size += chunk.length;
      if (size > maxBytes) tooLarge();
      hash.update(chunk);
      await write(file, chunk);
    }
  } catch (error) {
    if (!held.isSlow()) throw error;
  }
  if (held.isSlow()) {
    const rate = `${pace.bytes / pace.ms} KB/s for ${pace.ms / 1000} s`;
    throw new FetchError(`the download was given up: the source sent less than ${rate}`);
  }
  if (announced !== undefined && size !== announced)
    throw new FetchError(`the download ended after ${size} of ${announced} bytes`);
  const digest = hash.digest('hex');
  return digest;
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
