import t from 'tap';
import { execOk } from '../../../../lab/machine/machine.ts';
import { privateCache } from '../../../support/files/private.ts';
import { askFromBoard, boot, noMachine } from './boot.ts';
import { goesOn, ownThings } from './saved.ts';

const reason = await noMachine('virt-x86_64');

t.test('an x86-64 board in QEMU, by KVM where that is usable', { skip: reason }, async (t) => {
  await using _ = await privateCache();
  const notes: string[] = [];
  const asAUser = { machine: 'virt-x86_64', accel: 'auto', fresh: false } as const;
  await using board = await boot({ ...asAUser, note: (text) => void notes.push(text) });
  const { machine } = board;

  await t.test('is what it says it is', async (t) => {
    t.match(machine, { name: 'virt-x86_64', architecture: 'x86_64', start: 'booted' });
    t.equal((await execOk(machine, ['uname', '-m'])).trim(), machine.architecture);
    const isVirtualized = machine.accelerator === 'kvm';
    t.equal(machine.fidelity, isVirtualized ? 'virtualized' : 'emulated');
    t.equal(machine.capabilities.has('performance'), isVirtualized, 'an emulator measures nothing');
    if (process.arch === 'x64' && !isVirtualized)
      t.match(notes, [/^The board was emulated \(tcg\): KVM cannot be used, .+\.$/], 'and why is said');
    else t.strictSame(notes, []);
    t.match(machine.command?.join(' '), isVirtualized ? /-accel kvm/ : /-accel tcg/);
  });

  await t.test('has the programs of its architecture, and the modules of the overlay', async (t) => {
    t.equal((await execOk(machine, ['node', '-p', 'process.arch'])).trim(), 'x64');
    t.match(await execOk(machine, ['wasmtime', '--version']), `wasmtime ${machine.wasmtimeVersion}`);
    await execOk(machine, ['ip', 'link', 'add', 'tunnel', 'type', 'veth', 'peer', 'name', 'other']);
    await execOk(machine, ['modprobe', 'fou']);
    await execOk(machine, ['ip', 'fou', 'add', 'port', '50103', 'ipproto', '4']);
    t.match(await execOk(machine, ['ip', 'fou', 'show']), /port 50103 ipproto 4/);
    await execOk(machine, ['nft', 'add', 'table', 'inet', 'tried']);
  });

  await t.test('the board and this computer reach each other', async (t) => {
    t.equal(await askFromBoard(machine, 'hello board'), 'hello board');
  });

  await t.test('an emulated one was saved, and the next is restored from it', async (t) => {
    await using next = await boot(asAUser);
    t.equal(next.machine.start, machine.accelerator === 'kvm' ? 'booted' : 'restored');
    await goesOn(t, next.machine);
    const things = [...(await ownThings(machine)), ...(await ownThings(next.machine))];
    t.equal(new Set(things).size, things.length, things.join(''));
  });
});
