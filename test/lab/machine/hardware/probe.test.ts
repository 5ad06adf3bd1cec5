import fc from 'fast-check';
import t from 'tap';
import { checksOf } from '../../../../lab/machine/hardware/checks.ts';
import {
  addressBits,
  conditionOf,
  isEmulated,
  parseProbe,
  throttling,
} from '../../../../lab/machine/hardware/probe.ts';
import type { CheckResult } from '../../../../lab/system/check-result.ts';

/** A Raspberry Pi 4 with Debian's kernel, without a worker. */
const pi = `
architecture=aarch64
kernel=6.12.107+deb13-arm64
user=0
year=2026
model=Raspberry Pi 4 Model B Rev 1.5
compatible=raspberrypi,4-model-b brcm,bcm2711
revision=00c03115
page-size=4 kB
stack=ffffe7d4e000
memory=3884408 kB
governor=ondemand
clock-khz=1500000
millidegrees=48686
throttled=0
network=eth0
link-speed=1000
root=/dev/mmcblk0p2 ext4 rw,noatime
card=SD32G
writable=yes
free-kb=20000000
free-memory-kb=3500000
cgroup2=yes
veth=yes
bridge=yes
nft=yes
`;
const worker = `${pi}worker=yes\n`;

const changed = (text: string, lines: Readonly<Record<string, string>>) =>
  new Map([...parseProbe(text), ...Object.entries(lines)]);
const without = (text: string, key: string) => new Map([...parseProbe(text)].filter(([name]) => name !== key));
const bad = (probe: ReadonlyMap<string, string>): readonly CheckResult[] =>
  checksOf(probe, { ssh: 'root@x' }).filter(({ ok }) => !ok);

t.test('a good board has nothing wrong with it', async (t) => {
  for (const text of [pi, worker]) t.strictSame(bad(parseProbe(text)), []);
  t.match(conditionOf(parseProbe(pi)), {
    model: 'Raspberry Pi 4 Model B Rev 1.5',
    revision: '00c03115',
    clock: '1500 MHz',
    temperature: '48.7 °C',
    throttling: 'none',
    'address bits': '48',
    network: 'eth0, 1000 Mbit/s',
    storage: '/dev/mmcblk0p2 ext4 rw,noatime, SD32G',
  });
});

t.test('what is wrong with a board is said in plain words, with what to do', async (t) => {
  const cases: readonly (readonly [ReadonlyMap<string, string>, what: string, detail: RegExp, fatal: boolean])[] = [
    [changed(pi, { architecture: 'armv7l' }), 'architecture', /it is armv7l/, true],
    [changed(pi, { architecture: 'x86_64' }), 'architecture', /it is x86_64, the machine file says aarch64/, true],
    [changed(pi, { userland: '01' }), 'architecture', /kernel is 64-bit, its programs are not/, true],
    [changed(pi, { user: '1000' }), 'user', /not root/, true],
    [changed(pi, { missing: 'nft curl' }), 'programs', /lacks nft curl/, true],
    [changed(pi, { veth: 'no', nft: 'no' }), 'kernel', /has no veth, no nft/, true],
    [changed(pi, { year: '1970' }), 'clock', /stands in 1970/, false],
    [changed(pi, { 'free-memory-kb': '200000' }), 'memory', /200 MB free/, true],
    [
      changed(pi, { throttled: '50005' }),
      'power and heat',
      /voltage is too low, it is throttled, the voltage was/,
      false,
    ],
    [changed(worker, { writable: 'no' }), 'storage', /read-only/, true],
    [changed(worker, { 'free-kb': '1000' }), 'storage', /disk is full/, true],
    [
      changed(worker, { 'forward-policy': 'type filter hook forward priority filter; policy drop;' }),
      'forwarding',
      /Docker/,
      false,
    ],
  ];
  for (const [probe, what, detail, fatal] of cases) {
    const [first, ...more] = bad(probe);
    t.match(first, { name: what, detail }, what);
    t.ok(first?.remedy, `${what}: says what to do`);
    t.equal(first?.fatal ?? false, fatal, `${what}: ${fatal ? 'nothing can be run' : 'a run is possible'}`);
    t.strictSame(more, []);
  }
});

t.test('what only costs something is said, and nothing is refused for it', async (t) => {
  const narrow = checksOf(changed(pi, { stack: '7ffffff000' }), { ssh: 'root@x' });
  t.match(
    narrow.find(({ name }) => name === 'address space'),
    { ok: true, detail: /39 bits.*nine times slower/, remedy: /VA_BITS_48/ },
  );
  const old = checksOf(without(worker, 'cgroup2'), { ssh: 'root@x' });
  t.match(
    old.find(({ name }) => name === 'control groups'),
    { ok: true, detail: /memory is what a process may allocate/ },
  );
  const guarded = checksOf(changed(pi, { 'input-policy': 'policy drop' }), { ssh: 'root@x' });
  t.match(
    guarded.find(({ name }) => name === 'firewall'),
    { ok: true, detail: /carried over comes in by oaklab0/, remedy: /ufw allow in on oaklab0/ },
  );
  const carried = checksOf(changed(pi, { writable: 'no', 'forward-policy': 'policy drop' }), { ssh: 'root@x' });
  t.ok(
    carried.every(({ ok }) => ok),
    'what is carried over writes nothing and has a network of its own',
  );
});

t.test('a board in an emulator is told from a real one', async (t) => {
  t.equal(isEmulated(parseProbe(pi)), false);
  t.equal(isEmulated(without(pi, 'revision')), true, "QEMU's raspi4b has no firmware that knows a revision");
  t.equal(isEmulated(changed(pi, { compatible: 'linux,dummy-virt' })), true);
  t.equal(isEmulated(changed(pi, { hypervisor: 'yes' })), true);
  t.equal(isEmulated(changed(pi, { compatible: 'radxa,rock-5b rockchip,rk3588' })), false);
});

t.test('whatever a board prints, reading it does not fail', async () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.dictionary(fc.constantFrom('throttled', 'stack', 'user', 'year', 'clock-khz', 'millidegrees'), fc.string()),
      (text, lines) => {
        const probe = parseProbe(
          `${text}\n${Object.entries(lines)
            .map(([key, value]) => `${key}=${value}`)
            .join('\n')}`,
        );
        checksOf(probe, { ssh: 'root@x' });
        conditionOf(probe);
        return throttling(probe).length >= 0 && (addressBits(probe) ?? 0) >= 0;
      },
    ),
    { seed: 5 },
  );
});
