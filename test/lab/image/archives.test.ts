import { createReadStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import t from 'tap';
import { extract } from 'tar-stream';
import { writeCpio } from '../../../lab/image/cpio.ts';
import { fileEntry, folderEntry, folderTree, linkEntry } from '../../../lab/image/entries.ts';
import { completeTree, writeTar } from '../../../lab/image/layer.ts';
import type { TreeEntry } from '../../../lab/system/packages/deb.ts';
import { removeFolder } from '../../support/files/remove.ts';

const folder = await fs.mkdtemp('/tmp/lab-image-test-');
t.teardown(() => removeFolder(folder));

const name = fc.stringMatching(/^[a-z0-9_.+-]{1,12}$/).filter((part) => part !== '.' && part !== '..');
const paths = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const mode = fc.integer({ min: 0, max: 0o7777 });
const entry: fc.Arbitrary<TreeEntry> = fc.oneof(
  fc
    .tuple(paths, fc.uint8Array({ maxLength: 1200 }), mode)
    .map(([at, bytes, bits]) => fileEntry(at, Buffer.from(bytes), bits)),
  fc.tuple(paths, mode).map(([at, bits]) => folderEntry(at, bits)),
  fc.tuple(paths, paths).map(([at, target]) => linkEntry(at, target)),
);
const tree = fc.uniqueArray(entry, { selector: (one) => one.path, maxLength: 12 });

/** The members of an archive of the format newc: name, mode with type, content. */
const readCpio = (archive: Buffer): readonly (readonly [string, number, Buffer])[] => {
  const members: [string, number, Buffer][] = [];
  const aligned = (at: number) => Math.ceil(at / 4) * 4;
  for (let at = 0; at < archive.length; ) {
    const field = (index: number) =>
      Number.parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    if (archive.toString('latin1', at, at + 6) !== '070701') throw new Error(`no header at ${at}`);
    const nameEnd = at + 110 + field(11);
    const start = aligned(nameEnd);
    members.push([
      archive.toString('utf8', at + 110, nameEnd - 1),
      field(1),
      archive.subarray(start, start + field(6)),
    ]);
    at = aligned(start + field(6));
  }
  return members;
};

const typeBits = { file: 0o100000, directory: 0o040000, symlink: 0o120000, link: 0 };

t.test('an initramfs archive holds what was put in, the same bytes each time', async (t) => {
  fc.assert(
    fc.property(tree, (entries) => {
      const archive = writeCpio(entries);
      t.ok(archive.equals(writeCpio(entries)));
      t.strictSame(readCpio(archive), [
        ...entries.map((one) => [
          one.path,
          typeBits[one.type] | one.mode,
          one.type === 'symlink' ? Buffer.from(one.linkname) : one.content,
        ]),
        ['TRAILER!!!', 0, Buffer.alloc(0)],
      ]);
    }),
    { seed: 17, numRuns: 60 },
  );
  const twin: TreeEntry = { ...linkEntry('twin', 'bin/sh'), type: 'link' };
  t.throws(() => writeCpio([twin]), { message: /hard links/ });
});

t.test('a tar stream holds what was put in, the same bytes each time', async (t) => {
  const files = [path.join(folder, 'a.tar'), path.join(folder, 'b.tar')] as const;
  await fc.assert(
    fc.asyncProperty(tree, async (entries) => {
      for (const file of files) await writeTar(entries, file);
      t.ok((await fs.readFile(files[0])).equals(await fs.readFile(files[1])));
      const came: unknown[] = [];
      for await (const one of createReadStream(files[0]).pipe(extract())) {
        const { name: at, type, mode: bits, linkname, mtime, uid, gid } = one.header;
        came.push([at.replace(/\/$/, ''), type, bits, linkname ?? '', Number(mtime), uid, gid, await buffer(one)]);
      }
      t.strictSame(
        came,
        entries.map((one) => [one.path, one.type, one.mode, one.linkname, 0, 0, 0, one.content]),
      );
    }),
    { seed: 17, numRuns: 40 },
  );
});

t.test('a tree is in order, has every folder it needs, and the last of several with one path', async (t) => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 12 }), (entries) => {
      const complete = completeTree(entries);
      const names = complete.map((one) => one.path);
      t.strictSame(
        names,
        names.toSorted((a, b) => (a < b ? -1 : 1)),
      );
      t.equal(new Set(names).size, names.length);
      for (const one of names) if (one.includes('/')) t.ok(names.includes(path.dirname(one)), `the folder of ${one}`);
      t.strictSame(completeTree(complete), complete, 'it is complete');
    }),
    { seed: 17, numRuns: 60 },
  );
  const [only] = completeTree([fileEntry('a', 'first'), fileEntry('a', 'last')]);
  t.equal(only?.content.toString(), 'last');
  t.equal(completeTree([folderEntry('a', 0o700), folderEntry('a')])[0]?.mode, 0o700, 'a folder keeps its first mode');
});

t.test('modes in an image do not depend on the umask of whoever cloned', async (t) => {
  const trees = await Promise.all(
    [0o000, 0o022, 0o077].map(async (mask) => {
      const root = path.join(folder, `clone-${mask}`);
      await fs.mkdir(path.join(root, 'etc/init.d'), { recursive: true });
      for (const [file, bits] of [
        ['etc/conf', 0o666],
        ['etc/init.d/S1', 0o777],
      ] as const) {
        await fs.writeFile(path.join(root, file), file);
        await fs.chmod(path.join(root, file), bits & ~mask);
      }
      await fs.chmod(path.join(root, 'etc'), 0o777 & ~mask);
      await fs.symlink('conf', path.join(root, 'etc/alias'));
      return folderTree(root, 'x');
    }),
  );
  t.strictSame(trees[0], trees[1]);
  t.strictSame(trees[0], trees[2]);
  t.strictSame(
    trees[0]?.map((one) => [one.path, one.type, one.mode]),
    [
      ['x/etc', 'directory', 0o755],
      ['x/etc/alias', 'symlink', 0o777],
      ['x/etc/conf', 'file', 0o644],
      ['x/etc/init.d', 'directory', 0o755],
      ['x/etc/init.d/S1', 'file', 0o755],
    ],
  );
});
