import fs from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import { emulatedDeviceTree } from '../../../lab/image/card/device-tree.ts';
import { gatherParts } from '../../../lab/image/debian/parts.ts';
import type { BootImage } from '../../../lab/image/image.ts';
import { emulatorArguments } from '../../../lab/machine/qemu/command.ts';
import { raspi4b, virt } from '../../../lab/machine/qemu/definitions.ts';
import { messageOf } from '../../../lab/system/errors.ts';
import { fetchTools } from '../../../lab/system/packages/tools.ts';
import { labWorld } from '../../support/lab.ts';
import { printedResults } from '../../support/report.ts';

const image: BootImage = {
  ...{ name: 'x', digest: '', kernel: '/k', initramfs: '/i', bytes: 0, wasmtimeVersion: '1' },
  ...{ layers: [{ name: 'system', file: '/l,0', sha256: '' }], inputs: [], unlocked: [] },
};
const options = { firmware: ['/f'], name: 'n' };

t.test('a board with a card has its disks there, and one without has each layer as a disk', async (t) => {
  const pi = emulatorArguments(raspi4b, { ...image, card: '/c', deviceTree: '/d', commandLine: 'own' }, options);
  t.ok(pi.includes('if=sd,format=raw,snapshot=on,file=/c'), 'what the guest writes is thrown away');
  t.equal(pi[pi.indexOf('-dtb') + 1], '/d');
  t.match(pi[pi.indexOf('-append') + 1], /^own console=ttyAMA0/, "the emulator's console is the last one");
  t.notOk(pi.some((arg) => arg.includes('virtio')));
  const plain = emulatorArguments(virt, image, options);
  t.ok(plain.includes('if=none,id=layer0,format=raw,readonly=on,file=/l,,0'));
  t.notOk(plain.includes('-dtb'));
});

const signal = AbortSignal.timeout(280_000);
const parts = await gatherParts('raspi4', undefined, () => {}, signal).catch(messageOf);
const noParts = typeof parts === 'string' && parts;

t.test("the overlay fits the kernel's own device tree", { skip: noParts }, async (t) => {
  if (typeof parts === 'string' || parts.kernel.deviceTree === undefined) return;
  const tools = await fetchTools('card-tools');
  const tree = await emulatedDeviceTree(parts.kernel.deviceTree, tools, signal);
  const get = tools.program('usr/bin/fdtget', 'fdtget');
  const property = async (node: string, name: string) =>
    (await execa(get.file, [...get.args, tree, node, name])).stdout;
  t.equal(await property('/soc/usb@7e980000', 'dr_mode'), 'host');
  t.equal(await property('/soc/hdmi@7ef00700', 'status'), 'disabled');
  t.equal(await property('/soc/mmc@7e300000', 'mmc-pwrseq'), '0');
  t.equal(path.extname(tree), '.dtb');
});

const nightly = process.env['LAB_NIGHTLY'] ? noParts : 'set LAB_NIGHTLY=1 to boot the emulated Raspberry Pi';

t.test('a board without a clock is told the time', { skip: nightly, timeout: 1_200_000 }, async (t) => {
  await using world = await labWorld();
  const machine = ['--machine', 'raspi4b', '--boot', 'sd'];
  const options = ['--duration', '2', '--json', '--reports', world.reports];
  const run = await world.run(['scenario', 'bridged', ...machine, ...options]);
  t.equal(run.code, 0, { stderr: run.stderr });
  const { folder, results } = printedResults(run.stdout);
  const log = await fs.readFile(path.join(folder, 'NodeEngine.log'), 'utf8');
  const off = Math.abs(Date.parse(log.slice(0, 24)) - Date.parse(results.run.started));
  t.ok(off < 3_600_000, `it is not in 1970: ${log.slice(0, 24)}`);
  t.match(results.machine, { name: 'raspi4b', architecture: 'aarch64', fidelity: 'emulated' });
  t.match(results.run.firstAnswer, { status: 200 });
  t.strictSame(await world.processes(), []);
});
