import { createReadStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { labFolder, onlyIfOwner } from '../board-lock.ts';
import type { BoardShell } from '../ssh/board-shell.ts';
import type { Payload } from './payload.ts';

/** Addresses of the link between the board and the sandbox: a range for tests of network devices (RFC 2544). */
export const sandboxLink = { name: 'oaklab0', outside: '198.18.255.1', inside: '198.18.255.2', prefix: 30 } as const;

/** What to do on a board whose firewall keeps the sandbox from the lab. */
export const firewallRemedy = `ufw allow in on ${sandboxLink.name} (or: iptables -I INPUT -i ${sandboxLink.name} -j ACCEPT)`;

const holder = `${labFolder}/holder`;

/**
 * The sandbox's first process. It says its id and start time as the board sees them (proc(5)), makes room in memory,
 * and waits as a parent must for every process that lost its own.
 */
const first = `
read -r pid rest </proc/self/stat
began=$(sed 's/.*) //' "/proc/$pid/stat" | cut -d' ' -f20)
mount -t tmpfs -o mode=0755 lab "$1/root" || exit 1
echo "$pid $began" >${holder}.new && mv ${holder}.new ${holder}
sleep infinity &
wait $!
`;

/** Starts the sandbox and prints the id of its first process. */
const startScript = `
mkdir -p ${labFolder}/root && rm -f ${holder}
setsid unshare --mount --propagation private --net --pid --uts --ipc --fork --kill-child \\
	sh -c "$1" first ${labFolder} </dev/null >${labFolder}/log 2>&1 &
unshare=$!
while [ ! -e ${holder} ]; do
	kill -0 $unshare 2>/dev/null || { cat ${labFolder}/log >&2; exit 1; }
	sleep 0.05
done
cut -d' ' -f1 ${holder}
`;

/** Ends a sandbox with all that is in it, also one that a killed run left. */
const endScript = `${onlyIfOwner}
if read -r pid began 2>/dev/null <${holder} && [ "$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d' ' -f20)" = "$began" ]; then
	# what came into its files from outside of its processes, too: a connection that broke off leaves that
	files=$(readlink "/proc/$pid/ns/mnt")
	for one in /proc/[0-9]*; do [ "$(readlink "$one/ns/mnt" 2>/dev/null)" != "$files" ] || kill -KILL "\${one#/proc/}"; done
	while [ -e "/proc/$pid/ns/net" ]; do sleep 0.05; done
fi
rm -rf ${labFolder}/root ${holder} ${labFolder}/log
`;

/**
 * Makes the sandbox's root, from inside, around what was carried over: the board's own files are seen there, by links
 * where a folder has both, and nothing that is written reaches them. What the board's own programs and people write to
 * is empty.
 */
const rootScript = `
set -e
cd ${labFolder}/root
for place in /*; do
	name=\${place#/}
	case $name in
	etc | usr) mkdir -p "host/$name" && mount --rbind "$place" "host/$name" ;;
	dev) mkdir dev && mount --rbind /dev dev ;;
	proc | sys | run | tmp | var | root | host | old) ;;
	*)
		if [ -L "$place" ]; then cp -d "$place" .
		elif [ -d "$place" ]; then mkdir "$name" && mount --rbind "$place" "$name" && mount -o remount,bind,ro "$name"; fi
		;;
	esac
done
for folder in etc usr usr/bin usr/lib; do
	set --
	for item in "/$folder"/*; do
		[ -e "$folder/\${item##*/}" ] || set -- "$@" "/host$item"
	done
	[ $# -eq 0 ] || ln -s "$@" "$folder"
done
mkdir -p proc sys run tmp var/lib var/log var/cache var/tmp var/sys old
mkdir -m 700 root
chmod 1777 tmp var/tmp
ln -s ../run var/run
mount -t proc proc proc
mount -t sysfs sysfs sys
# "ip netns exec" replaces /sys, which the kernel allows in a user namespace only while another one is in sight
mount -t sysfs sysfs var/sys
pivot_root . old
cd /
umount -l /old
rmdir /old
hostname "$(cat /etc/hostname)"
ip link set lo up
`;

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

const { name, outside, inside, prefix } = sandboxLink;
const linkScript = `
set -e
ip link add name ${name} type veth peer name eth0 netns "$1"
ip address add ${outside}/${prefix} dev ${name}
ip link set ${name} up
nsenter --target "$1" --net sh -c 'ip address add ${inside}/${prefix} dev eth0 &&
	ip link set eth0 up && ip route add default via ${outside}'
`;

/** Namespaces on a board in which a worker that was carried over runs as if it were installed there. */
export type Sandbox = AsyncDisposable & {
  readonly shell: BoardShell;
  /** The sandbox's files in the board's own network. */
  readonly outside: BoardShell;
};

/** Ends the sandbox that a killed run may have left, unless `owner` has the board no more. */
export const endSandbox = async (machine: string, shell: BoardShell, owner: string): Promise<void> => {
  await shell.script(`what a run left on ${machine} cannot be removed`, endScript, [owner]);
};

/** The bytes of an archive; `say` is told how much of it has been taken. */
const taken = async function* (archive: string, say: (text: string) => void) {
  const { size } = await fs.stat(archive);
  const [name] = path.basename(archive).split('-');
  const stream = createReadStream(archive);
  for await (const chunk of stream) {
    say(`carrying the ${name} over, ${megabytes(stream.bytesRead)} of ${megabytes(size)} MB`);
    yield chunk;
  }
};

/** Makes a sandbox on a board and carries the payload into it. All of it is in memory, and gone with its processes. */
export const openSandbox = async (
  machine: string,
  board: BoardShell,
  owner: string,
  payload: Payload,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<Sandbox> => {
  await using stack = new AsyncDisposableStack();
  const trouble = `${machine} cannot make the namespaces that the worker runs in`;
  stack.defer(() => endSandbox(machine, board, owner));
  const pid = (await board.script(trouble, startScript, [first], { signal })).trim();
  const files = ['nsenter', '--target', pid, '--mount'];
  for (const archive of payload.archives)
    await board
      .inside([...files, '--'])
      .script(`the worker cannot be carried over to ${machine}`, `exec tar -xzf - -C ${labFolder}/root`, [], {
        signal,
        stdin: () => Readable.from(taken(archive, say), { objectMode: false }),
      });
  const shell = board.inside([...files, '--net', '--pid', '--uts', '--ipc', '--']);
  await shell.script(trouble, rootScript, [], { signal });
  await board.script(trouble, linkScript, [pid], { signal });
  const resources = stack.move();
  return { shell, outside: board.inside([...files, '--']), [Symbol.asyncDispose]: () => resources.disposeAsync() };
};
