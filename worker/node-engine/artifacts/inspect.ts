import type { FileHandle } from 'node:fs/promises';
import { type ComponentInfo, inspectComponent, LimitExceeded, NotWebAssembly } from '../../contract/component.ts';

/**
 * Sections that say nothing of imports and exports and may be large: custom sections, and of a component its modules
 * and nested components, of a module its code and data (WebAssembly core specification, 5.5; component model, Binary.md).
 */
const skipped = { component: new Set([0, 1, 4]), module: new Set([0, 10, 11]) } as const;

/** The most bytes of other sections that are read, and the most sections of any kind. */
const maxRead = 16 * 1024 * 1024;
const maxSections = 100_000;

const preamble = 8;
/** An id of one byte and a size of up to five. */
const longestHeader = 6;

/** So much is read at once: most sections are small. */
const windowSize = 16 * 1024;

/** Reads pieces of a file, of which it keeps the last window. A piece ends where the file does. */
const reader = (file: FileHandle) => {
  let window: Buffer = Buffer.alloc(0);
  let start = 0;
  return async (at: number, size: number): Promise<Buffer> => {
    if (at < start || at + size > start + window.length) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.max(size, windowSize)), 0, undefined, at);
      window = buffer.subarray(0, bytesRead);
      start = at;
    }
    return window.subarray(at - start, at - start + size);
  };
};

type Header = { readonly id: number; readonly length: number; readonly size: number };

/** The head of a section; undefined when its size is no number of 32 bits. */
const headerOf = (bytes: Buffer): Header | undefined => {
  let size = 0;
  for (let at = 1; at < Math.min(bytes.length, longestHeader); at += 1) {
    const byte = bytes[at] ?? 0;
    size += (byte & 0x7f) * 2 ** (7 * (at - 1));
    if (byte < 0x80) return { id: bytes[0] ?? 0, length: at + 1, size };
  }
  return undefined;
};

/**
 * What {@link inspectComponent} says of a file, which is read by its sections: its code is skipped, so that little
 * memory is needed however large the file is. Throws {@link NotWebAssembly}, and {@link LimitExceeded} for more than is read.
 */
export const inspectFile = async (file: FileHandle): Promise<ComponentInfo> => {
  const { size: end } = await file.stat();
  const read = reader(file);
  const kept = [await read(0, preamble)];
  // With nothing behind it, this tells at once what is no WebAssembly at all.
  const { kind } = inspectComponent(kept[0] as Buffer);
  let total = 0;
  let sections = 0;
  for (let at = preamble; at < end; ) {
    sections += 1;
    if (sections > maxSections) throw new LimitExceeded(`more than ${maxSections} sections`);
    const bytes = await read(at, longestHeader);
    const header = headerOf(bytes);
    if (header === undefined) {
      kept.push(bytes);
      break;
    }
    const next = at + header.length + header.size;
    if (next > end)
      throw new NotWebAssembly(
        `truncated: a section of ${header.size} bytes at byte ${at + header.length}, ${end - at - header.length} are left`,
      );
    if (!skipped[kind].has(header.id)) {
      total += header.size;
      if (total > maxRead) throw new LimitExceeded(`its imports, exports and types have more than ${maxRead} bytes`);
      kept.push(Buffer.from(await read(at, header.length + header.size))); // a copy: the window is larger
    }
    at = next;
  }
  return inspectComponent(Buffer.concat(kept));
};
