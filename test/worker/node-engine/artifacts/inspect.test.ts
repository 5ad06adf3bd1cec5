import { type FileHandle, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { inspectComponent, UnusableBinary } from '../../../../worker/contract/component.ts';
import { inspectFile } from '../../../../worker/node-engine/artifacts/inspect.ts';
import { memoryFolder } from '../../../support/files/memory-folder.ts';
import { fixture } from '../support/daemon.ts';

const fixtures = await Promise.all(
  ['hello-wasi-http', 'egress-wasi-http', 'rust-wasi-http', 'sockets'].map((name) => readFile(fixture(name))),
);

/** What reading gives; undefined when the file is of no use. */
const outcome = async <T>(read: () => T | Promise<T>): Promise<T | undefined> => {
  try {
    return await read();
  } catch (error) {
    if (error instanceof UnusableBinary) return undefined;
    throw error;
  }
};

t.test('a file says what its bytes say, cut off and damaged ones too', async (t) => {
  const file = join(await memoryFolder(t), 'component.wasm');
  const change = fc.record({ at: fc.nat(4000), to: fc.nat(255) });
  const cut = fc.option(fc.nat(20_000), { nil: undefined });
  const input = fc.record({ which: fc.nat(fixtures.length - 1), changes: fc.array(change, { maxLength: 2 }), cut });
  const check = async (bytes: Buffer) => {
    await writeFile(file, bytes);
    await using handle = await open(file);
    const [bySections, whole] = [
      await outcome(() => inspectFile(handle)),
      await outcome(() => inspectComponent(bytes)),
    ];
    const same = isDeepStrictEqual(bySections, whole);
    return same;
  };
  for (const bytes of fixtures) t.ok(await check(bytes));
  await fc.assert(
    fc.asyncProperty(input, async ({ which, changes, cut: end }) => {
      const bytes = Buffer.from((fixtures[which] as Buffer).subarray(0, end));
      for (const { at, to } of changes) if (at < bytes.length) bytes[at] = to;
      return check(bytes);
    }),
    { seed: 20_261_131, numRuns: 500 },
  );
});

t.test('however large a component is, little of it is read', async (t) => {
  const [hello = Buffer.alloc(0)] = fixtures;
  const file = join(await memoryFolder(t), 'large.wasm');
  const size = 120 * 1024 * 1024;
  const leb = [0, 7, 14, 21].map((shift) => ((size >> shift) & 0x7f) | (shift < 21 ? 0x80 : 0));
  await writeFile(file, Buffer.concat([hello, Buffer.from([0x00, ...leb, 0x01, 0x78])]));
  await using handle = await open(file, 'r+');
  await handle.truncate(hello.length + 1 + leb.length + size);
  let bytes = 0;
  const counting = {
    stat: () => handle.stat(),
    read: (buffer: Buffer, offset: number, length: number | undefined, position: number) => {
      bytes += buffer.length;
      return handle.read(buffer, offset, length, position);
    },
  } as unknown as FileHandle;
  t.strictSame(await inspectFile(counting), inspectComponent(hello));
  t.ok(bytes <= 64 * 1024, `${bytes} bytes`);
});
