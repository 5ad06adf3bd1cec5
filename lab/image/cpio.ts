import type { TreeEntry } from '../system/packages/deb.ts';

const typeBits = { file: 0o100000, directory: 0o040000, symlink: 0o120000, link: 0o100000 } as const;
const trailer = 'TRAILER!!!';

const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);

const record = (name: string, inode: number, mode: number, content: Buffer): Buffer => {
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length + 1, 0];
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`;
  return Buffer.concat([padded(Buffer.from(head, 'latin1')), padded(content)]);
};

/**
 * An initramfs archive (format "newc", kernel: driver-api/early-userspace/buffer-format) of `entries`, the same bytes
 * for the same entries. Hard links are not supported.
 */
export const writeCpio = (entries: readonly TreeEntry[]): Buffer =>
  Buffer.concat([
    ...entries.map(({ path, type, mode, linkname, content }, index) => {
      if (type === 'link') throw new Error(`${path}: hard links do not go into an initramfs`);
      return record(
        path,
        index + 1,
        typeBits[type] | (mode & 0o7777),
        type === 'symlink' ? Buffer.from(linkname) : content,
      );
    }),
    record(trailer, 0, 0, Buffer.alloc(0)),
  ]);
