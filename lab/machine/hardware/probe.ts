/** What a board says of itself, by key, as the probe's script prints it. */
export type BoardProbe = ReadonlyMap<string, string>;

/**
 * Looks at a board and changes nothing that stays: what has to be tried is tried in namespaces that end at once. Prints
 * one `key=value` a line; what a board does not know is left out.
 */
export const probeScript = `
say() { [ -z "$2" ] || printf '%s=%s\\n' "$1" "$(printf %s "$2" | tr '\\n' ' ')"; }
text() { tr -d '\\0' 2>/dev/null <"$1"; }
has() { command -v "$1" >/dev/null 2>&1; }
able() { what=$1; shift; if unshare --net "$@" >/dev/null 2>&1; then say "$what" yes; else say "$what" no; fi; }
say architecture "$(uname -m)"
say userland "$(od -An -tx1 -j4 -N1 /proc/self/exe 2>/dev/null | tr -d ' ')"
say kernel "$(uname -r)"
say user "$(id -u)"
say year "$(date +%Y)"
say model "$(text /proc/device-tree/model)"
say compatible "$(tr '\\0' ' ' 2>/dev/null </proc/device-tree/compatible)"
say revision "$(od -An -tx1 /proc/device-tree/system/linux,revision 2>/dev/null | tr -d ' ')"
[ -e /proc/device-tree/hypervisor ] && say hypervisor yes
say firmware "$(has vcgencmd && vcgencmd version 2>/dev/null)"
say page-size "$(sed -n 's/^KernelPageSize: *//p' /proc/self/smaps 2>/dev/null | head -n 1)"
say stack "$(sed -n 's/^[0-9a-f]*-\\([0-9a-f]*\\) .*\\[stack\\]$/\\1/p' /proc/self/maps)"
say memory "$(sed -n 's/^MemTotal: *//p' /proc/meminfo)"
say governor "$(text /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor)"
say clock-khz "$(text /sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq)"
say millidegrees "$(text /sys/class/thermal/thermal_zone0/temp)"
if has vcgencmd; then say throttled "$(vcgencmd get_throttled 2>/dev/null | sed 's/.*=0x//')"
else say throttled "$(cat /sys/devices/platform/soc/soc:firmware/get_throttled 2>/dev/null)"; fi
say under-voltage "$(cat /sys/class/hwmon/hwmon*/in0_lcrit_alarm 2>/dev/null | sort | tail -n 1)"
device=$(ip route get 192.0.2.1 2>/dev/null | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p')
say network "$device"
say link-speed "$(cat "/sys/class/net/$device/speed" 2>/dev/null)"
has ethtool && say offloads "$(ethtool -k "$device" 2>/dev/null | sed -n 's/^\\(tcp-segmentation\\|generic-segmentation\\|generic-receive\\|rx-checksumming\\|tx-checksumming\\)[a-z-]*: \\(on\\|off\\).*/\\1 \\2/p')"
say root "$(sed -n 's/^\\([^ ]*\\) \\/ \\([^ ]*\\) \\([^ ]*\\).*/\\1 \\2 \\3/p' /proc/mounts | tail -n 1)"
say card "$(cat /sys/block/mmcblk0/device/name 2>/dev/null)"
place=$(df -P /var/lib 2>/dev/null | sed -n '2s/.* //p')
case $(sed -n "s,^[^ ]* $place [^ ]* \\([^ ]*\\) .*,\\1,p" /proc/mounts | tail -n 1) in
ro | ro,*) say writable no ;;
*) say writable yes ;;
esac
say free-kb "$(df -Pk /var/lib 2>/dev/null | sed -n '2s/^[^ ]* *[0-9]* *[0-9]* *\\([0-9]*\\) .*/\\1/p')"
say free-memory-kb "$(sed -n 's/^MemAvailable: *\\([0-9]*\\) .*/\\1/p' /proc/meminfo)"
[ -e /sys/fs/cgroup/cgroup.controllers ] && say cgroup2 yes
[ -x /usr/bin/NodeEngine ] && [ -x /etc/init.d/S99nodeengine ] && say worker yes
for program in ip nft curl ping ps find tar gzip unshare nsenter setsid mount pivot_root; do has "$program" || missing="$missing $program"; done
say missing "$missing"
able veth ip link add name lab0 type veth peer name lab1
able bridge ip link add name lab0 type bridge
able nft nft add table inet lab
for hook in input forward; do say "$hook-policy" "$(nft list ruleset 2>/dev/null | grep "hook $hook.*policy drop" | head -n 1)"; done
[ -n "$SSH_CONNECTION" ] && say connection "$SSH_CONNECTION"
true
`;

/** Reads what the probe's script printed. */
export const parseProbe = (text: string): BoardProbe =>
  new Map(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf('=');
      const value = line.slice(at + 1).trim();
      return at > 0 && value !== '' ? [[line.slice(0, at), value] as const] : [];
    }),
  );

/** A whole number that a board says; undefined when it says none. */
export const numberIn = (probe: BoardProbe, key: string): number | undefined => {
  const text = probe.get(key) ?? '';
  return /^-?\d+$/.test(text) ? Number(text) : undefined;
};

const inThousands = (probe: BoardProbe, key: string, unit: string, digits = 0): string | undefined => {
  const number = numberIn(probe, key);
  return number === undefined ? undefined : `${Number((number / 1000).toFixed(digits))} ${unit}`;
};

/** How many bits an address of a process has, out of the address of its stack, which lies at the top. */
export const addressBits = (probe: BoardProbe): number | undefined => {
  const stack = /^[0-9a-f]{1,16}$/.exec(probe.get('stack') ?? '')?.[0];
  return stack === undefined ? undefined : BigInt(`0x${stack}`).toString(2).length;
};

/**
 * True for a board that only exists in an emulator: its times are no performance. A Raspberry Pi's own firmware puts
 * the board's revision into the device tree (firmware documentation: "linux,revision"), which no emulator does.
 */
export const isEmulated = (probe: BoardProbe): boolean => {
  if (probe.has('hypervisor') || /dummy-virt|qemu/.test(probe.get('compatible') ?? '')) return true;
  return /raspberrypi/.test(probe.get('compatible') ?? '') && !probe.has('revision');
};

const throttleBits = [
  [0, 'the voltage is too low'],
  [1, 'the clock is capped'],
  [2, 'it is throttled'],
  [3, 'it is at its soft temperature limit'],
  [16, 'the voltage was too low'],
  [17, 'the clock was capped'],
  [18, 'it was throttled'],
  [19, 'it was at its soft temperature limit'],
] as const;

/** What a Raspberry Pi says of its power and heat, since it was started (firmware: get_throttled). */
export const throttling = (probe: BoardProbe): readonly string[] => {
  const bits = Number.parseInt(probe.get('throttled') ?? '0', 16);
  const said = throttleBits.filter(([bit]) => (bits >> bit) & 1).map(([, words]) => words);
  return said.length === 0 && probe.get('under-voltage') === '1' ? ['the voltage is too low'] : said;
};

const shown: readonly (readonly [name: string, of: (probe: BoardProbe) => string | undefined])[] = [
  ['model', (probe) => probe.get('model')],
  ['revision', (probe) => probe.get('revision')],
  ['firmware', (probe) => probe.get('firmware')],
  ['kernel', (probe) => probe.get('kernel')],
  ['page size', (probe) => probe.get('page-size')],
  ['address bits', (probe) => addressBits(probe)?.toString()],
  ['memory', (probe) => probe.get('memory')],
  ['governor', (probe) => probe.get('governor')],
  ['clock', (probe) => inThousands(probe, 'clock-khz', 'MHz', 3)],
  ['temperature', (probe) => inThousands(probe, 'millidegrees', '°C', 1)],
  [
    'throttling',
    (probe) =>
      probe.has('throttled') || probe.has('under-voltage') ? throttling(probe).join(', ') || 'none' : undefined,
  ],
  [
    'network',
    (probe) =>
      [probe.get('network'), (numberIn(probe, 'link-speed') ?? -1) > 0 && `${probe.get('link-speed')} Mbit/s`]
        .filter(Boolean)
        .join(', ') || undefined,
  ],
  ['offloads', (probe) => probe.get('offloads')],
  ['storage', (probe) => [probe.get('root'), probe.get('card')].filter(Boolean).join(', ') || undefined],
];

/** The part of a probe that may matter to a figure, in words. */
export const conditionOf = (probe: BoardProbe): Readonly<Record<string, string>> =>
  Object.fromEntries(
    shown.flatMap(([name, of]) => {
      const value = of(probe);
      return value === undefined ? [] : [[name, value]];
    }),
  );
