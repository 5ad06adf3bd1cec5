import fs from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { findProgram } from '../../lab/system/programs.ts';
import { read, tree } from './tree.ts';

const missing = ['genimage', 'mkdosfs', 'mcopy'].filter((program) => findProgram(program) === undefined);
const mebibyte = 1024 ** 2;
// the root file system in a card's partition table: type Linux, after the boot partition
const secondPartition = 0x1ce;

const configs = { virt: 'oakestra_virt_defconfig', raspi4: 'oakestra_raspi4_64_defconfig' };

for (const board of ['virt', 'raspi4'] as const)
  t.test(
    `the card of ${board} holds what its settings name`,
    { skip: missing.length > 0 && `not installed: ${missing.join(', ')}` },
    async (t) => {
      const config = await read('board', board, 'genimage.cfg');
      const folder = t.testdir({ images: {}, root: {}, work: {} });
      const input = path.join(folder, 'images');
      for (const [, name = ''] of config.matchAll(/^\t\t\t"(.+?)"/gm)) {
        const file = path.join(input, name);
        await fs.mkdir(path.dirname(file), { recursive: true });
        if (name.endsWith('overlays')) await fs.mkdir(file);
        else await fs.writeFile(file, name);
      }
      await fs.writeFile(path.join(input, 'rootfs.ext4'), Buffer.alloc(8 * mebibyte, 7));
      const paths = { rootpath: 'root', tmppath: 'work', inputpath: 'images', outputpath: 'images' };
      const options = Object.entries(paths).flatMap(([option, name]) => [`--${option}`, path.join(folder, name)]);
      await execa('genimage', [...options, '--config', path.join(tree, 'board', board, 'genimage.cfg')]);

      const card = await fs.readFile(path.join(input, 'sdcard.img'));
      const signature = card.readUInt32LE(0x1b8).toString(16);
      t.match(await read('board', board, 'cmdline.txt'), `root=PARTUUID=${signature}-02 rootwait`);
      t.equal(card[secondPartition - 12], 0x0c, 'a FAT partition first');
      t.equal(card[secondPartition + 4], 0x83);
      t.equal(card[card.readUInt32LE(secondPartition + 8) * 512], 7, 'the root file system is where the table says');
      const rootBytes = Number(/EXT2_SIZE="(\d+)M"/.exec(await read('configs', configs[board]))?.[1]) * mebibyte;
      const end = card.readUInt32LE(secondPartition + 8) * 512 + rootBytes;
      if (board === 'virt') t.equal(Math.log2(end) % 1, 0, 'QEMU takes it as an SD card');
      const { stdout } = await execa('mdir', ['-b', '-i', path.join(input, 'boot.vfat'), '::/']);
      t.match(stdout, /\/Image\n/);
      t.match(stdout, /bcm2711-rpi-4-b\.dtb/i);
      t.match(stdout, /config\.txt/i);
    },
  );
