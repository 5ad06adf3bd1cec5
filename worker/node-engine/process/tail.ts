import { open } from 'node:fs/promises';

/** The last `bytes` bytes of a file as text; a character cut in half at the beginning is left out. */
export const tail = async (file: string, bytes: number): Promise<string> => {
  const handle = await open(file, 'r').catch(() => undefined);
  if (handle === undefined) return '';
  try {
    const { size } = await handle.stat();
    const start = Math.max(0, size - bytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.min(size, bytes)), 0, undefined, start);
    const text = buffer.subarray(0, bytesRead);
    const continuation = (byte: number | undefined) => byte !== undefined && (byte & 0xc0) === 0x80;
    let first = 0;
    while (start > 0 && first < 3 && continuation(text[first])) first += 1;
    return text.toString('utf8', first);
  } finally {
    await handle.close();
  }
};
