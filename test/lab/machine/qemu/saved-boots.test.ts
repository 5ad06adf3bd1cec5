import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { virt } from '../../../../lab/machine/qemu/definitions.ts';
import { savedBootKey } from '../../../../lab/machine/qemu/saved/restore.ts';
import { keepSavedBoot, openSavedBoot, removeSavedBoot } from '../../../../lab/machine/qemu/saved/saved-boots.ts';
import { cachePath } from '../../../../lab/system/files/cache.ts';
import { sha256 } from '../../../../lab/system/files/digest.ts';
import { acquireLock } from '../../../../lab/system/files/file-lock.mjs';
import { privateCache } from '../../../support/files/private.ts';

const soon = () => AbortSignal.timeout(60_000);
const key = (n: number): string => sha256(`key ${n}`);
const inCache = async (): Promise<readonly string[]> => (await fs.readdir(cachePath('saved-boots'))).toSorted();

const keep = (n: number, text = `state ${n}`): Promise<void> =>
  keepSavedBoot(key(n), (file) => fs.writeFile(file, text), soon());

/** Whether what was saved under a key is whole; undefined where nothing was. */
const isWhole = async (n: number): Promise<boolean | undefined> => {
  await using saved = await openSavedBoot(key(n));
  return await saved?.isWhole();
};

/** The file that was saved under a key. */
const fileOf = async (n: number): Promise<string> =>
  cachePath('saved-boots', (await inCache()).find((name) => name.startsWith(key(n))) ?? '');

t.test('a saved boot is found by its key, and is known to be damaged when any of its bytes changes', async (t) => {
  await using _ = await privateCache([]);
  t.equal(await isWhole(1), undefined);
  await keep(1);
  t.equal(await isWhole(1), true);
  t.equal(await isWhole(2), undefined);
  const damages: Readonly<Record<string, (file: fs.FileHandle) => Promise<unknown>>> = {
    'a byte of it': (file) => file.write('S', 0),
    'the end is missing': (file) => file.truncate(3),
    'more at the end': (file) => file.truncate(100),
    'nothing is in it': (file) => file.truncate(0),
  };
  for (const [what, damage] of Object.entries(damages)) {
    {
      await using file = await fs.open(await fileOf(1), 'r+');
      await damage(file);
    }
    t.equal(await isWhole(1), false, what);
    await removeSavedBoot(key(1));
    t.equal(await isWhole(1), undefined);
    await keep(1);
    t.equal(await isWhole(1), true, 'it is made anew');
  }
});

t.test('of several labs that want to save the same one does it', async (t) => {
  await using _ = await privateCache([]);
  let saves = 0;
  const save = async (file: string) => {
    saves++;
    await fs.writeFile(file, 'one');
  };
  await Promise.all([1, 2, 3].map(() => keepSavedBoot(key(1), save, soon())));
  t.equal(saves, 1);
  t.equal(await isWhole(1), true);
  t.equal((await inCache()).length, 1, 'neither locks nor parts stay');
});

t.test('a failure to save leaves nothing, and what a killed lab had begun is removed, but no living one', async (t) => {
  await using _ = await privateCache([]);
  const failing = async (file: string) => {
    await fs.writeFile(file, 'half');
    throw new Error('no space');
  };
  await t.rejects(keepSavedBoot(key(1), failing, soon()), { message: 'no space' });
  t.strictSame(await inCache(), []);
  await fs.writeFile(cachePath('saved-boots', `${key(2)}.partial`), 'of a killed lab');
  await fs.writeFile(cachePath('saved-boots', `${key(3)}.partial`), 'of a living lab');
  const release = await acquireLock(cachePath('saved-boots', `${key(3)}.lock`));
  await keep(1);
  release();
  t.strictSame(
    (await inCache()).filter((name) => name.endsWith('.partial')),
    [`${key(3)}.partial`],
  );
});

t.test('the cache holds four; what was not used for the longest time goes, and who has it open keeps it', async (t) => {
  await using _ = await privateCache([]);
  for (const n of [1, 2, 3, 4]) {
    await keep(n);
    // as if it had been used so many hours ago
    const at = new Date(Date.now() - (5 - n) * 3_600_000);
    await fs.utimes(await fileOf(n), at, at);
  }
  await using second = await openSavedBoot(key(2));
  await using third = await openSavedBoot(key(3));
  await fs.utimes(await fileOf(3), new Date(0), new Date(0));
  await keep(5);
  t.strictSame(
    await Promise.all([1, 2, 3, 4, 5].map(isWhole)),
    [true, true, undefined, true, true],
    'the third was used least recently',
  );
  t.equal(await second?.isWhole(), true);
  t.equal(await third?.isWhole(), true, 'a lab that is just restoring it is not disturbed');
});

t.test('the key follows everything that is booted, and nothing else', async (t) => {
  const image = (folder: string, digest = sha256('image')) => ({
    ...{ name: 'debian', digest, bytes: 1, wasmtimeVersion: '1', inputs: [], unlocked: [] },
    kernel: path.join(folder, 'kernel.gz'),
    initramfs: path.join(folder, 'initramfs'),
    layers: [{ name: 'system', file: path.join(folder, 'system-1.erofs'), sha256: sha256('system') }],
  });
  const emulator = sha256('qemu');
  const usual = savedBootKey(virt, image('/a'), emulator);
  t.match(usual, /^[0-9a-f]{64}$/);
  t.equal(savedBootKey(virt, image('/b'), emulator), usual, 'wherever the cache lies');
  const others = [
    savedBootKey(virt, image('/a', sha256('another')), emulator),
    savedBootKey(virt, image('/a'), sha256('another')),
    savedBootKey({ ...virt, memory: '2G' }, image('/a'), emulator),
    savedBootKey({ ...virt, append: `${virt.append} debug` }, image('/a'), emulator),
  ];
  t.equal(new Set([usual, ...others]).size, 5);
  t.equal(savedBootKey({ ...virt, savable: false }, image('/a'), emulator), undefined);
  t.equal(savedBootKey(virt, { ...image('/a'), card: '/a/card.img' }, emulator), undefined);
});
