import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** `bytes` as text; a character cut in half at their beginning is left out. */
const textOf = (bytes: Buffer, isCut: boolean): string => {
  const continuation = (byte: number | undefined) => byte !== undefined && (byte & 0xc0) === 0x80;
  let first = 0;
  while (isCut && first < 3 && continuation(bytes[first])) first += 1;
  return bytes.toString('utf8', first);
};

/**
 * The last `bytes` bytes of a file as text; a character cut in half at the beginning is left out. Empty for what is no
 * regular file: neither a link nor a FIFO is opened for longer than it takes to see that.
 */
export const tail = async (file: string, bytes: number): Promise<string> => {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    () => undefined,
  );
  if (handle === undefined) return '';
  await using log = handle;
  const stat = await log.stat();
  if (!stat.isFile()) return '';
  const { size } = stat;
  const start = Math.max(0, size - bytes);
  const { buffer, bytesRead } = await log.read(Buffer.alloc(Math.min(size, bytes)), 0, undefined, start);
  const text = textOf(buffer.subarray(0, bytesRead), start > 0);
  return text;
};

/** Bytes of an instance's output that are told with a status. */
const toldBytes = 1024;

/** What a terminal would obey, and what is no text. */
const unprintable = /[^\P{C}\n\t]/gu;

/** A sentence about an instance with the last lines of its output, when it has said anything. */
export const withLastLines = async (sentence: string, log: string): Promise<string> => {
  const said = (await tail(log, toldBytes)).replaceAll(unprintable, '').trim();
  return said === '' ? sentence : `${sentence}: ${said}`;
};
