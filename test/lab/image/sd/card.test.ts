import fs from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import fc from 'fast-check';
import t from 'tap';
import { layoutPartitions, writeCard } from '../../../../lab/image/card/card.ts';
import { fileEntry, folderEntry, linkEntry } from '../../../../lab/image/entries.ts';
import { loadBootPartition, parseBootConfiguration } from '../../../../lab/image/sd/boot-partition.ts';
import { writeExt4, writeFat } from '../../../../lab/image/sd/file-systems.ts';
import { readBoardSettings, settingsEntries } from '../../../../lab/image/sd/settings.ts';
import { messageOf } from '../../../../lab/system/errors.ts';
import { fileDigest } from '../../../../lab/system/files/digest.ts';
import { fetchTools } from '../../../../lab/system/packages/tools.ts';

const mebibyte = 1024 ** 2;
const seed = 4;

t.test('partitions never overlap, and a card is a power of two that holds them', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 2 ** 31 }), { minLength: 1, maxLength: 8 }), (sizes) => {
      const { extents, size } = layoutPartitions(sizes.map((bytes) => ({ type: 'L', file: '', size: bytes })));
      const ends = extents.map((extent) => extent.start + extent.size);
      return (
        Number.isInteger(Math.log2(size)) &&
        extents.every(({ start }, i) => start % mebibyte === 0 && start >= (ends[i - 1] ?? mebibyte)) &&
        size >= (ends.at(-1) ?? 0) + mebibyte / 2
      );
    }),
    { seed },
  );
  t.pass('for any sizes');
});

const tools = await fetchTools('card-tools').catch(messageOf);

t.test(
  'a card made without root boots as the firmware would, and is the same every time',
  {
    skip: typeof tools === 'string' && tools,
  },
  async (t) => {
    if (typeof tools === 'string') return;
    const folder = t.testdir();
    const make = async (name: string): Promise<string> => {
      const [fat, root, card] = ['fat', 'ext4', 'img'].map((end) => path.join(folder, `${name}.${end}`));
      if (fat === undefined || root === undefined || card === undefined) throw new Error('three names');
      const files = {
        'config.txt': 'kernel=kernel8.img\ndevice_tree=board.dtb\ninitramfs initramfs8 followkernel\n',
        'cmdline.txt': 'console=tty0 quiet\n',
        ...{ 'kernel8.img': 'KERNEL', 'board.dtb': 'TREE', initramfs8: 'RAM' },
      };
      const content = Object.fromEntries(Object.entries(files).map(([key, text]) => [key, Buffer.from(text)]));
      await writeFat(fat, 40 * mebibyte, content, tools);
      const tree = [folderEntry('root', 0o700), fileEntry('etc/hostname', 'pi\n'), linkEntry('bin', 'usr/bin')];
      await writeExt4(root, 8 * mebibyte, tree, tools);
      await writeCard(
        card,
        'dos',
        [
          { type: 'c', file: fat },
          { type: '83', file: root },
        ],
        tools,
      );
      return card;
    };
    const card = await make('one');
    t.equal(await fileDigest(card), await fileDigest(await make('two')));
    const { size, blocks } = await fs.stat(card);
    t.equal(size, 64 * mebibyte);
    t.ok(blocks * 512 < size / 4, 'what is empty takes no room');
    const loaded = await loadBootPartition(card, folder, tools);
    t.equal(loaded.commandLine, 'console=tty0 quiet');
    t.equal(await fs.readFile(loaded.kernel, 'utf8'), 'KERNEL');
    t.equal(await fs.readFile(loaded.initramfs ?? '', 'utf8'), 'RAM');

    const check = tools.program('usr/sbin/e2fsck', 'e2fsck');
    await execa(check.file, [...check.args, '-f', '-n', path.join(folder, 'one.ext4')]);
    const look = tools.program('usr/sbin/debugfs', 'debugfs');
    const { stdout } = await execa(look.file, [...look.args, '-R', 'ls -l /', path.join(folder, 'one.ext4')]);
    t.match(stdout, /40700 \(2\) +0 +0 .* root\n/, 'files belong to root, with their modes');
  },
);

t.test('a boot partition that lacks something says what', async (t) => {
  t.throws(() => parseBootConfiguration('kernel=a\ninitramfs b followkernel\n'), /config\.txt names no device tree/);
});

t.test("the owner's settings become files; there is no password, and no passphrase as it was typed", async (t) => {
  const file = path.join(t.testdir(), 'lab.settings.json');
  t.equal(await readBoardSettings(file), undefined, 'no file, no settings');
  const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ me@desk';
  const wifi = { ssid: 'at "home"', passphrase: 'correct horse', country: 'DE' };
  await fs.writeFile(file, JSON.stringify({ hostname: 'pi4', sshKeys: [key], wifi }));
  const entries = settingsEntries((await readBoardSettings(file)) ?? {});
  const content = (name: string) => entries.find((entry) => entry.path === name)?.content.toString();
  t.equal(content('root/.ssh/authorized_keys'), `${key}\n`);
  t.match(content('etc/wpa_supplicant.conf'), /ssid=61742022686f6d6522\n\tpsk=[0-9a-f]{64}\n/);
  t.notMatch(content('etc/wpa_supplicant.conf'), /correct horse/);
  t.equal(entries.find((entry) => entry.path === 'etc/wpa_supplicant.conf')?.mode, 0o600);
  await fs.writeFile(file, JSON.stringify({ hostnam: 'pi4' }));
  await t.rejects(readBoardSettings(file), { message: /no key 'hostnam' \(did you mean 'hostname'\?/, fault: 'usage' });
  const long = 'battery staple '.repeat(5);
  for (const text of [JSON.stringify({ wifi: { ...wifi, passphrase: long } }), `{"wifi": {"passphrase": "${long}" x`]) {
    await fs.writeFile(file, text);
    const fault = await readBoardSettings(file).catch((error: unknown) => error);
    t.match(fault, { fault: 'usage', message: /lab\.settings\.json: (wifi\.passphrase must NOT have more|not JSON)/ });
    t.notMatch(String(fault), /staple/, 'a password is never said');
  }
});
