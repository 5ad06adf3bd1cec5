import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import fs, { type FileHandle } from 'node:fs/promises';
import { labFault } from '../../system/errors.ts';

const chunkBytes = 4 * 1024 ** 2;

export type FlashProgress = (phase: 'writing' | 'reading back', done: number, total: number) => void;

/** The chunks of a file's first `total` bytes. Each is valid until the next one is asked for. */
async function* chunks(file: FileHandle, total: number, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  const buffer = Buffer.alloc(chunkBytes);
  for (let at = 0; at < total; ) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, Math.min(chunkBytes, total - at), at);
    if (bytesRead === 0) throw new Error(`it ends after ${at} of ${total} bytes`);
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

const writeAll = async (target: FileHandle, bytes: Buffer, position: number): Promise<void> => {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await target.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
};

/**
 * Writes an image to a device or file and reads it back. Resolves with the SHA-256 of what stands there. Throws a lab
 * fault when the device is in use, when it fails, or when it gives back other bytes than it got.
 */
export const flash = async (
  image: string,
  device: string,
  progress: FlashProgress = () => {},
  signal?: AbortSignal,
): Promise<string> => {
  await using source = await fs.open(image);
  const { size } = await source.stat();
  const wanted = createHash('sha256');
  const read = createHash('sha256');
  try {
    {
      // exclusive: the kernel refuses a device that is mounted or claimed meanwhile (open(2))
      await using target = await fs.open(device, constants.O_RDWR | constants.O_EXCL);
      let done = 0;
      for await (const chunk of chunks(source, size, signal)) {
        wanted.update(chunk);
        await writeAll(target, chunk, done);
        done += chunk.length;
        progress('writing', done, size);
      }
      await target.sync();
    }
    // closing the device dropped what the kernel had of it in memory, so this comes from the device itself
    await using written = await fs.open(device);
    let done = 0;
    for await (const chunk of chunks(written, size, signal)) {
      read.update(chunk);
      done += chunk.length;
      progress('reading back', done, size);
    }
  } catch (error) {
    signal?.throwIfAborted();
    const isForbidden = ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
    const next = isForbidden ? ['write to it as root, or as a member of the group disk'] : [];
    throw labFault(`${device} could not be written`, next, error);
  }
  const digest = read.digest('hex');
  if (wanted.digest('hex') !== digest)
    throw labFault(`${device} does not give back what was written to it: use another card`);
  return digest;
};
