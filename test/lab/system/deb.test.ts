import fs from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { type Header, pack } from 'tar-stream';
import { messageOf } from '../../../lab/system/errors.ts';
import { packageTree, type TreeEntry } from '../../../lab/system/packages/deb.ts';
import { fetchKeyring } from '../../../lab/system/packages/fetch.ts';
import { until } from '../../../lab/system/wait.ts';
import { privateCache } from '../../support/files/private.ts';

type Member = readonly [header: Partial<Header> & { readonly name: string }, content?: string];

const member = (name: string, content: Buffer): Buffer =>
  Buffer.concat([
    Buffer.from(`${name.padEnd(16)}${'0'.padEnd(32)}${String(content.length).padEnd(10)}\`\n`, 'latin1'),
    content,
    Buffer.alloc(content.length % 2, '\n'),
  ]);

const compress = { gz: gzipSync, zst: zstdCompressSync, none: (bytes: Buffer) => bytes };

/** A Debian package with these files. */
const deb = async (files: readonly Member[], how: keyof typeof compress = 'gz'): Promise<Buffer> => {
  const archive = pack();
  for (const [header, content = ''] of files) archive.entry(header, content);
  archive.finalize();
  const data = compress[how](await buffer(archive));
  return Buffer.concat([
    Buffer.from('!<arch>\n'),
    member('debian-binary', Buffer.from('2.0\n')),
    member('control.tar.gz', Buffer.from('odd')),
    member(how === 'none' ? 'data.tar' : `data.tar.${how}`, data),
  ]);
};

const usual: readonly Member[] = [
  [{ name: './usr/', type: 'directory', mode: 0o755 }],
  [{ name: './usr/bin/tool', mode: 0o4755 }, 'x'.repeat(70_000)],
  [{ name: './usr/bin/alias', type: 'symlink', linkname: 'tool' }],
  [{ name: './usr/bin/twin', type: 'link', linkname: './usr/bin/tool' }],
  [{ name: './usr/empty' }, ''],
];

const place = await privateCache(['packages']);
t.teardown(() => place[Symbol.asyncDispose]());
const file = path.join(place.folder, 'x.deb');

/** What comes out of a package with these bytes: its entries, or why not. Fails when neither comes in time. */
const read = async (bytes: Uint8Array): Promise<readonly TreeEntry[] | string> => {
  await fs.writeFile(file, bytes);
  let outcome: readonly TreeEntry[] | string | undefined;
  const reading = Array.fromAsync(packageTree(file)).then(
    (entries) => (outcome = entries),
    (error: unknown) => (outcome = messageOf(error)),
  );
  await Promise.race([reading, until(() => outcome, AbortSignal.timeout(120_000))]);
  return outcome ?? 'nothing';
};

t.test('the files of a package, whatever it is compressed with', async (t) => {
  for (const how of ['gz', 'zst', 'none'] as const) {
    const entries = await read(await deb(usual, how));
    if (typeof entries === 'string') return t.fail(entries);
    t.strictSame(
      entries.map((entry) => [entry.path, entry.type, entry.mode, entry.linkname, entry.content.length]),
      [
        ['usr', 'directory', 0o755, '', 0],
        ['usr/bin/tool', 'file', 0o4755, '', 70_000],
        ['usr/bin/alias', 'symlink', 0o644, 'tool', 0],
        ['usr/bin/twin', 'link', 0o644, 'usr/bin/tool', 0],
        ['usr/empty', 'file', 0o644, '', 0],
      ],
    );
  }
});

t.test('a package whose files would land outside of their tree is refused', async (t) => {
  const escapes: readonly (readonly Member[])[] = [
    [[{ name: './../evil' }, 'x']],
    [[{ name: 'usr/../../evil' }, 'x']],
    [[{ name: './usr', type: 'symlink', linkname: '/' }], [{ name: './usr/evil' }, 'x']],
    [[{ name: './evil', type: 'symlink', linkname: '/etc/passwd' }], [{ name: './evil' }, 'x']],
    [[{ name: './evil', type: 'link', linkname: '../../etc/passwd' }]],
  ];
  for (const files of escapes) t.match(await read(await deb(files)), /leaves the tree/);
  const absolute = await read(await deb([[{ name: '/etc/evil' }, 'x']]));
  t.match(absolute, [{ path: 'etc/evil' }], 'an absolute path is one below the tree');
});

t.test('a damaged package neither hangs nor ends the lab', async (t) => {
  for (const how of ['gz', 'zst', 'none'] as const) {
    const whole = await deb(usual, how);
    const whatever = fc.oneof(
      fc.nat(whole.length - 1).map((at) => whole.subarray(0, at)),
      fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, byte]) => {
        const bytes = Buffer.from(whole);
        bytes[at] = byte;
        return bytes;
      }),
    );
    await fc.assert(
      fc.asyncProperty(whatever, async (bytes) => {
        const entries = await read(bytes);
        if (entries === 'nothing') throw new Error('it hangs');
        if (typeof entries === 'string') return;
        for (const entry of entries)
          if (entry.path.split('/').includes('..') || entry.path.startsWith('/')) throw new Error(entry.path);
      }),
      { seed: 11, numRuns: 120 },
    );
  }
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => typeof (await read(bytes)) === 'string'),
    { seed: 11, numRuns: 50 },
  );
  t.match(await read(Buffer.from('<html>not found</html>')), /is not a Debian package/);
  t.match(await read(Buffer.from('!<arch>\n')), /has no data member/);
  t.match(await read((await deb(usual)).subarray(0, -40)), /\w/);
});

const keyring = await fetchKeyring(AbortSignal.timeout(120_000)).catch(messageOf);
const noKeyring = path.isAbsolute(keyring) ? false : `no mirror: ${keyring}`;

t.test("a truncated package of Debian's own is refused", { skip: noKeyring }, async (t) => {
  const whole = await fs.readFile(keyring);
  t.match(await read(whole), [{ path: /./ }]);
  for (const part of [0.3, 0.6, 0.9, 0.99]) {
    const entries = await read(whole.subarray(0, Math.floor(whole.length * part)));
    t.type(entries, 'string', `${100 * part} % of it`);
    t.not(entries, 'nothing');
  }
});
