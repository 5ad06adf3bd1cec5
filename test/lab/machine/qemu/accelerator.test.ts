import path from 'node:path';
import t from 'tap';
import { accelerate, isVirtualized } from '../../../../lab/machine/qemu/accelerator.ts';
import { raspi4b, virt, virtX86 } from '../../../../lab/machine/qemu/definitions.ts';
import { deviceObstacle, kvmObstacle } from '../../../../lab/machine/qemu/kvm.ts';

const usable = async () => undefined;
const unusable = async () => ({ why: 'there is no /dev/kvm', next: ['buy a computer'] });
const notAsked = () => Promise.reject(new Error('nobody has to try KVM for this'));

t.test('KVM runs a guest of its own architecture where it is usable', async (t) => {
  for (const [definition, host] of [
    [virtX86, 'x86_64'],
    [virt, 'aarch64'],
  ] as const)
    for (const choice of ['auto', 'kvm'] as const) {
      const { definition: started, note } = await accelerate(choice, definition, host, usable);
      t.ok(isVirtualized(started), `${choice} on ${host}`);
      t.strictSame(started.processor.slice(0, 2), ['-cpu', 'host'], "its processor is this computer's");
      t.ok(started.slowness < definition.slowness, 'nothing takes as long as under emulation');
      t.equal(started.name, definition.name);
      t.equal(note, undefined);
    }
});

t.test('elsewhere a board is emulated, and the report says so where KVM might have run it', async (t) => {
  t.strictSame(await accelerate('tcg', virtX86, 'x86_64', notAsked), { definition: virtX86 });
  t.strictSame(await accelerate('auto', virt, 'x86_64', notAsked), { definition: virt });
  t.strictSame(await accelerate('auto', virtX86, 'aarch64', notAsked), { definition: virtX86 });
  t.strictSame(await accelerate('auto', raspi4b, 'aarch64', notAsked), { definition: raspi4b });
  t.strictSame(await accelerate('auto', virtX86, 'x86_64', unusable), {
    definition: virtX86,
    note: 'The board was emulated (tcg): KVM cannot be used, there is no /dev/kvm.',
  });
  t.notOk([virt, virtX86, raspi4b].some(isVirtualized));
});

t.test('KVM that was asked for and cannot be used is refused with the reason', async (t) => {
  const asked = (...[definition, host]: [typeof virtX86, 'x86_64' | 'aarch64']) =>
    accelerate('kvm', definition, host, unusable);
  await t.rejects(asked(virt, 'x86_64'), {
    fault: 'usage',
    message: /this computer's own architecture, x86_64, and virt is aarch64: leave out --accel kvm/,
  });
  await t.rejects(asked(raspi4b, 'aarch64'), {
    fault: 'usage',
    message: /raspi4b is a board that QEMU can only emulate/,
  });
  await t.rejects(asked(virtX86, 'x86_64'), {
    fault: 'lab',
    message: 'KVM cannot be used: there is no /dev/kvm',
    next: ['buy a computer', 'leave out --accel kvm: TCG emulates the board then'],
  });
});

t.test('what is in the way of the device is said, with what to do', async (t) => {
  t.match(deviceObstacle('/dev/kvm', 'ENOENT', undefined), {
    why: 'there is no /dev/kvm',
    next: [/nested virtualization/],
  });
  t.match(deviceObstacle('/dev/kvm', 'EACCES', { group: 'kvm', mode: 0o20660 }), {
    why: 'no permission to open /dev/kvm, which is for the group kvm',
    next: [/usermod -aG kvm "\$USER", and log in again/],
  });
  t.match(deviceObstacle('/dev/kvm', 'EACCES', { group: 'root', mode: 0o20600 }), {
    why: 'no permission to open /dev/kvm, which is for the administrator alone',
  });
  t.match(deviceObstacle('/dev/kvm', 'EPERM', { group: 'kvm', mode: 0o20666 }), { why: '/dev/kvm is forbidden here' });
  t.match(deviceObstacle('/dev/kvm', 'ENODEV', { group: 'kvm', mode: 0o20666 }), {
    why: /cannot be opened \(ENODEV\)/,
  });
});

t.test('a device that opens is not enough: QEMU has to start such a processor with it', async (t) => {
  const device = path.join(t.testdir({ kvm: '' }), 'kvm');
  const { definition } = await accelerate('kvm', virtX86, 'x86_64', usable);
  const answer = (script: string, at = device) => {
    const program = { file: 'sh', args: ['-c', script, 'qemu'] };
    return kvmObstacle(definition, { program, firmware: ['/firmware'] }, AbortSignal.timeout(60_000), at);
  };
  t.equal(await answer('read -r first && read -r second'), undefined);
  t.match(await answer('echo "qemu-system-x86_64: error: failed to set MSR 0x10a to 0x1" >&2; exit 1'), {
    why: 'QEMU cannot start such a processor with it (failed to set MSR 0x10a to 0x1)',
  });
  t.match(await answer('kill -ABRT $$'), { why: /SIGABRT/ });
  t.match(await answer('exit 0', `${device}-of-nobody`), { why: /there is no .*kvm-of-nobody/ });
  const args = await answer('echo "error: $*" >&2; exit 1');
  t.match(args?.why, /-L \/firmware -M q35 -cpu host .*-accel kvm .*-S /, 'nothing of the guest is executed');
});
