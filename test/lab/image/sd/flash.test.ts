import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { flash } from '../../../../lab/image/sd/flash.ts';
import { describeTarget, type FlashTarget, reasonNotFlashable } from '../../../../lab/image/sd/target.ts';
import { fileDigest } from '../../../../lab/system/files/digest.ts';

const card: FlashTarget = {
  ...{ path: '/dev/mmcblk0', kind: 'card', model: 'SC32G', bytes: 32e9, readOnly: false, uses: [] },
};

t.test('what an image may be written to', async (t) => {
  for (const kind of ['card', 'removable', 'loop', 'file'] as const)
    t.equal(reasonNotFlashable({ ...card, kind }, 1e9), undefined, `a ${kind} is taken`);
  t.match(reasonNotFlashable({ ...card, kind: 'fixed' }, 1e9), /neither a card nor removable/);
  t.match(reasonNotFlashable({ ...card, kind: 'partition' }, 1e9), /whole device/);
  t.match(reasonNotFlashable({ ...card, uses: ['mmcblk0p1 is mounted at /boot'] }, 1e9), /in use.*mounted at \/boot/);
  t.match(reasonNotFlashable({ ...card, readOnly: true }, 1e9), /lock switch/);
  t.match(reasonNotFlashable(card, 64e9), /room for 32000000000 bytes/);
});

const mounts = (await fs.readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[0] ?? '');
const disk = mounts.find(
  (source) => /^\/dev\/[a-z]/.test(source) && statSync(source, { throwIfNoEntry: false })?.isBlockDevice(),
);
const noDisk = disk === undefined && 'no block device is mounted here under its own name';

t.test('the disk that this system runs from is refused, as the kernel describes it', { skip: noDisk }, async (t) => {
  t.match(reasonNotFlashable(await describeTarget(disk ?? ''), 1), /in use|partition|neither a card nor removable/);
});

t.test('an image is written over what was there, and read back', async (t) => {
  const folder = t.testdir();
  const [image, device] = [path.join(folder, 'image'), path.join(folder, 'device')];
  await fs.writeFile(image, Buffer.concat([randomBytes(5_000_000), Buffer.alloc(4_000_000)]));
  await fs.writeFile(device, randomBytes(12_000_000));
  const phases = new Set<string>();
  t.equal(await flash(image, device, (phase) => phases.add(phase)), await fileDigest(image));
  t.strictSame([...phases], ['writing', 'reading back']);
  const written = await fs.readFile(device);
  t.equal(written.length, 12_000_000, 'what lies behind the image stays');
  t.ok(written.subarray(0, 9_000_000).equals(await fs.readFile(image)), 'zeros are written too');
});

t.test('a device that fails is named', async (t) => {
  const image = path.join(t.testdir({ image: 'x' }), 'image');
  await t.rejects(flash(image, '/dev/full'), {
    ...{ message: '/dev/full could not be written', fault: 'lab' },
    cause: { message: /ENOSPC/ },
  });
  await t.rejects(describeTarget('/dev/null'), { message: /neither a block device nor a file/, fault: 'usage' });
});
