import { fileEntry } from '../../image/entries.ts';
import type { TreeEntry } from '../../system/packages/deb.ts';
import { userNetwork } from '../user-network.ts';

/** Where the lab's half lies in the guest. */
export const labFolder = '/usr/lib/oakestra-lab';

/** The clock and its idleness as the guest finished booting, before the lab's half started. */
export const bootMark = '/run/oakestra-lab.boot';

const namespace = 'lab';
const { board, lab, prefix } = userNetwork;

// the links have the names that they have on the machine `local`
const network = `#!/bin/sh
# The lab in a network namespace of its own, and the link between it and the board.
[ "$1" = start ] || exit 0
ip link set lo up
ip netns add ${namespace}
ip link add eth0 type veth peer name uplink netns ${namespace}
ip address add ${board}/${prefix} dev eth0
ip link set eth0 up
ip -n ${namespace} link set lo up
ip -n ${namespace} address add ${lab}/${prefix} dev uplink
ip -n ${namespace} link set uplink up
ip route add default via ${lab}
`;

const start = `#!/bin/sh
# Runs the lab's half to its end, and says how that ended: a board may not be able to switch itself off.
cat /proc/timer_list >${bootMark}
exec </dev/null >/dev/console 2>&1
result=$(sed -n 's/.*\\blab.result=\\([^ ]*\\).*/\\1/p' /proc/cmdline)
export HOME=/root PATH=/usr/sbin:/usr/bin
ulimit -c 0
cd ${labFolder}
nsenter --net=/run/netns/${namespace} node lab.cjs "/dev/$result"
printf '\\036{"ended":%s}\\n' $? >"/dev/$result"
`;

const inittab = `::sysinit:/etc/init.d/rcS
::once:${labFolder}/start
`;

/**
 * What makes a quick image one that contains the lab's half too, in the layout of the machine `local`: two network
 * namespaces, joined by a pair of links. It has neither agent nor devices; `load` are the kernel modules that it needs.
 */
export const layoutEntries = (load: readonly string[]): readonly TreeEntry[] => [
  fileEntry('etc/inittab', inittab),
  fileEntry('etc/init.d/S40network', network, 0o755),
  fileEntry('etc/modules', `${load.join('\n')}\n`),
  fileEntry(`${labFolder.slice(1)}/start`, start, 0o755),
];
