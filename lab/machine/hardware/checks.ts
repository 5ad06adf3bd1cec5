import type { CheckResult } from '../../system/check-result.ts';
import type { Architecture } from '../../system/elf.ts';
import { notRoot } from './board-lock.ts';
import type { HardwareDefinition } from './definition.ts';
import { addressBits, type BoardProbe, numberIn, throttling } from './probe.ts';
import { firewallRemedy, sandboxLink } from './worker/sandbox.ts';

const fullAddressBits = 47;
const neededKb = 20_000;
const neededMemoryKb = 400_000;
const firstYear = 2025;
/** The class of a 32-bit program in its ELF header (elf(5), EI_CLASS). */
const class32 = '01';

type Check = (probe: BoardProbe, definition: HardwareDefinition) => CheckResult | undefined;

const good = (name: string, detail: string): CheckResult => ({ name, ok: true, detail });
const bad = (name: string, detail: string, remedy: string): CheckResult => ({ name, ok: false, detail, remedy });
const fatal = (name: string, detail: string, remedy: string): CheckResult => ({
  ...bad(name, detail, remedy),
  fatal: true,
});

/** True where the board runs the worker as an image installs it. */
export const hasWorker = (probe: BoardProbe): boolean => probe.has('worker');

const architecture: Check = (probe, definition) => {
  const found = probe.get('architecture') ?? 'unknown';
  const wanted: Architecture = definition.architecture ?? 'aarch64';
  if (found === 'aarch64' && probe.get('userland') === class32)
    return fatal(
      'architecture',
      'its kernel is 64-bit, its programs are not',
      'install the 64-bit system for this board',
    );
  if (found === wanted) return good('architecture', found);
  const remedy =
    found === 'aarch64' || found === 'x86_64'
      ? `"architecture": "${found}" in the machine file, if it is the right board`
      : 'install a 64-bit system for this board';
  return fatal('architecture', `it is ${found}, the machine file says ${wanted}`, remedy);
};

const root: Check = (probe) =>
  probe.get('user') === '0'
    ? undefined
    : fatal(
        'user',
        notRoot,
        'use root@… in the machine file, or let sudo ask for nothing: echo "$USER ALL=(ALL) NOPASSWD: ALL" | sudo tee /etc/sudoers.d/lab',
      );

const worker: Check = (probe) =>
  good(
    'worker',
    hasWorker(probe) ? 'installed there: it is used as it is' : 'not installed: it is carried over for each run',
  );

const programs: Check = (probe) => {
  const missing = probe.get('missing');
  return missing === undefined
    ? good('programs', 'all installed')
    : fatal('programs', `it lacks ${missing}`, 'apt install iproute2 nftables curl iputils-ping procps util-linux');
};

const kernelOf = (probe: BoardProbe): string => probe.get('kernel') ?? 'its kernel';

const kernel: Check = (probe) => {
  const lacking = ['veth', 'bridge', 'nft'].filter((ability) => probe.get(ability) !== 'yes');
  if (lacking.length === 0) return good('kernel', `${kernelOf(probe)} has veth, bridge and nftables`);
  const remedy =
    'load them (modprobe veth bridge nf_tables), or boot a kernel that has them: CONFIG_VETH, CONFIG_BRIDGE, CONFIG_NF_TABLES';
  return fatal('kernel', `${kernelOf(probe)} has no ${lacking.join(', no ')}`, remedy);
};

const addresses: Check = (probe) => {
  const bits = addressBits(probe);
  if (bits === undefined) return undefined;
  if (bits >= fullAddressBits) return good('address space', `${bits} bits`);
  return {
    ...good(
      'address space',
      `${bits} bits: too little for wasmtime to reserve a pool of memories, so that it makes a new one for every request, about nine times slower`,
    ),
    remedy: 'boot a kernel with CONFIG_ARM64_VA_BITS_48, such as Debian’s own, or take figures as those of this kernel',
  };
};

const cgroups: Check = (probe) => {
  const limited = 'memory is what a process may allocate, its program code aside';
  if (!hasWorker(probe)) return good('control groups', `not used by what is carried over: ${limited}`);
  if (probe.has('cgroup2')) return good('control groups', 'version 2');
  return {
    ...good('control groups', `no version 2: ${limited}`),
    remedy: 'add cgroup_enable=memory systemd.unified_cgroup_hierarchy=1 to cmdline.txt',
  };
};

const forwarding: Check = (probe) => {
  if (!probe.has('forward-policy')) return undefined;
  const detail = 'somebody else’s firewall drops what is forwarded (Docker and ufw do that)';
  if (!hasWorker(probe)) return good('forwarding', `${detail}; the lab’s own namespaces are not touched by it`);
  return bad(
    'forwarding',
    `${detail}: instances will not reach anything`,
    'iptables -I FORWARD -i goProxyBridge -j ACCEPT; iptables -I FORWARD -o goProxyBridge -j ACCEPT',
  );
};

const incoming: Check = (probe) => {
  if (hasWorker(probe) || !probe.has('input-policy')) return undefined;
  const { name } = sandboxLink;
  return {
    ...good('firewall', `what comes in is dropped unless a rule lets it in; what is carried over comes in by ${name}`),
    remedy: `${firewallRemedy}, where a run says that it cannot reach the lab`,
  };
};

const clock: Check = (probe) => {
  const year = numberIn(probe, 'year');
  if (year === undefined || year >= firstYear) return undefined;
  return bad(
    'clock',
    `it stands in ${year}: a Pi has none that runs without power`,
    'let it ask the network: timedatectl set-ntp true, or: date -s "…"',
  );
};

const storage: Check = (probe) => {
  const mounted = probe.get('root') ?? 'unknown';
  if (!hasWorker(probe)) return good('storage', `${mounted}; nothing is written there`);
  if (probe.get('writable') !== 'yes')
    return fatal(
      'storage',
      `its root file system is read-only (${mounted})`,
      'mount -o remount,rw /; a card that goes read-only by itself is worn out',
    );
  const free = numberIn(probe, 'free-kb');
  if (free === undefined) return good('storage', `${mounted}, how much is free is unknown`);
  return free >= neededKb
    ? good('storage', `${mounted}, ${Math.floor(free / 1000)} MB free`)
    : fatal(
        'storage',
        `its disk is full: ${Math.floor(free / 1000)} MB free`,
        'make room there: df -h, apt clean, journalctl --vacuum-size=50M',
      );
};

const memory: Check = (probe) => {
  const free = numberIn(probe, 'free-memory-kb');
  if (hasWorker(probe) || free === undefined || free >= neededMemoryKb) return undefined;
  return fatal(
    'memory',
    `${Math.floor(free / 1000)} MB free, what is carried over needs 400 MB`,
    'end what else runs there',
  );
};

const power: Check = (probe) => {
  const said = throttling(probe);
  if (said.length === 0)
    return probe.has('throttled') ? good('power and heat', 'no complaint since it was started') : undefined;
  return bad(
    'power and heat',
    said.join(', '),
    'use a supply of 5.1 V and 3 A with a short thick cable, and let the board breathe',
  );
};

const checks: readonly Check[] = [
  ...[architecture, root, worker, programs, kernel, addresses, cgroups],
  ...[forwarding, incoming, clock, storage, memory, power],
];

/** What a probe of a board shows, in plain words, with what to do about it. */
export const checksOf = (probe: BoardProbe, definition: HardwareDefinition): readonly CheckResult[] =>
  checks.map((check) => check(probe, definition)).filter((finding) => finding !== undefined);
