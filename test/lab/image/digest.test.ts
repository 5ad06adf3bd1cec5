import t from 'tap';
import { buildDebianImage } from '../../../lab/image/debian/build.ts';
import { fileDigest } from '../../../lab/system/files/digest.ts';
import { privateCache } from '../../support/files/private.ts';
import { noMachine } from '../machine/qemu/boot.ts';

const reason = await noMachine();
const maxBytes = 110e6;

/** Builds the image with nothing but what was downloaded before. */
const build = async () => {
  await using _ = await privateCache(['packages', 'indexes', 'node', 'wasmtime']);
  const image = await buildDebianImage({ board: 'virt' });
  const files = [image.kernel, image.initramfs ?? '', ...image.layers.map(({ file }) => file)];
  return { image, digests: await Promise.all(files.map((file) => fileDigest(file))) };
};

t.test('an image built twice from nothing is the same, to the byte', { skip: reason }, async (t) => {
  const [first, second] = [await build(), await build()];
  t.strictSame(second.digests, first.digests);
  t.equal(second.image.digest, first.image.digest);
  t.strictSame(second.image.inputs, first.image.inputs);
  t.strictSame(
    first.digests.slice(2),
    first.image.layers.map(({ sha256 }) => sha256),
  );
  t.ok(first.image.bytes < maxBytes, `${first.image.bytes} bytes`);
  t.strictSame(first.image.unlocked, []);
});
