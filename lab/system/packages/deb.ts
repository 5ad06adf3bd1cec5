import { createReadStream } from 'node:fs';
import fs from 'node:fs/promises';
import { type Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import xz from 'xz-decompress';

/** One member of a package's file tree; `path` has no leading `./`, `content` is empty for all but files. */
export type TreeEntry = {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'link';
  readonly mode: number;
  readonly linkname: string;
  readonly content: Buffer;
};

const magic = '!<arch>\n';
const headerBytes = 60;

/** Where the member of an `ar` archive (ar(5)) that `wanted` accepts begins and ends. */
const findMember = async (
  file: string,
  wanted: (name: string) => boolean,
): Promise<{ readonly name: string; readonly start: number; readonly size: number }> => {
  await using handle = await fs.open(file);
  const head = await handle.read(Buffer.alloc(magic.length), 0, magic.length, 0);
  if (head.buffer.toString('latin1') !== magic) throw new Error(`${file} is not a Debian package`);
  for (let at = magic.length; ; ) {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(headerBytes), 0, headerBytes, at);
    if (bytesRead < headerBytes) throw new Error(`${file} has no data member`);
    const text = buffer.toString('latin1');
    const name = text.slice(0, 16).trim().replace(/\/$/, '');
    const size = Number(text.slice(48, 58).trim());
    if (!Number.isSafeInteger(size) || size < 0) throw new Error(`${file} is damaged`);
    if (wanted(name)) return { name, start: at + headerBytes, size };
    at += headerBytes + size + (size % 2);
  }
};

/** A stream of xz-compressed bytes, decompressed. */
export const unxz = (source: Readable): Readable =>
  Readable.from(new xz.XzReadableStream(Readable.toWeb(source) as ReadableStream<Uint8Array>));

/** The streams that decompress a member, from first to last. */
const decompressing = (name: string, raw: Readable): readonly (Readable | Duplex)[] => {
  if (name.endsWith('.xz')) return [unxz(raw)];
  if (name.endsWith('.zst')) return [raw, createZstdDecompress()];
  if (name.endsWith('.gz')) return [raw, createGunzip()];
  return [raw];
};

/** Refuses what would be written outside of the tree: over `..`, or through a link that came before it. */
const refuseEscape = (file: string, path: string, links: ReadonlySet<string>): void => {
  const parts = path.split('/');
  if (parts.includes('..') || parts.some((_, index) => links.has(parts.slice(0, index + 1).join('/'))))
    throw new Error(`${file}: path '${path}' leaves the tree`);
};

const typeOf = (header: Header): TreeEntry['type'] | undefined =>
  header.type === 'file' || header.type === 'directory' || header.type === 'symlink' || header.type === 'link'
    ? header.type
    : undefined;

const relative = (name: string): string => name.replace(/^(\.?\/)+/, '').replace(/\/$/, '');

/** The archives in a package: what it installs, and what says how (deb(5)). */
type Part = 'data' | 'control';

/**
 * The paths of a package's tree that `keep` accepts, as they stand in one of its archives. Throws when the package is
 * damaged, or when writing its files would reach outside of their tree.
 */
export async function* packageTree(
  file: string,
  keep: (path: string) => boolean = () => true,
  part: Part = 'data',
): AsyncGenerator<TreeEntry> {
  const member = await findMember(file, (name) => name.startsWith(`${part}.tar`));
  const raw = createReadStream(file, { start: member.start, end: member.start + member.size - 1 });
  const entries = extract();
  // an error on the way ends `entries` too, and is thrown from there
  pipeline([...decompressing(member.name, raw), entries]).catch(() => {});
  const links = new Set<string>();
  for await (const entry of entries) {
    const { header } = entry;
    const path = relative(header.name);
    const type = typeOf(header);
    const linkname = header.linkname ?? '';
    refuseEscape(file, path, links);
    if (type === 'link') refuseEscape(file, relative(linkname), links);
    if (type === 'symlink') links.add(path);
    if (!type || path === '' || path === '.' || !keep(path)) {
      entry.resume();
      continue;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk);
    yield {
      path,
      type,
      mode: header.mode ?? 0o644,
      linkname: type === 'link' ? relative(linkname) : linkname.replace(/^\.\//, ''),
      content: Buffer.concat(chunks),
    };
  }
}
