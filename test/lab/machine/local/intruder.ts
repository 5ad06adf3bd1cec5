// What readonly.test.ts runs as several users: starts a board of this computer's own kernel and prints, as JSON, what a
// program on it could change of what is not the board's own.
import { startLocal } from '../../../../lab/machine/local/local.ts';
import { enterNamespaces } from '../../../../lab/machine/local/namespaces.ts';
import { openRun } from '../../../../lab/system/runs.ts';

const signal = AbortSignal.timeout(600_000);
await enterNamespaces(signal);

/**
 * Opens for writing, and writes nothing, what is not the board's: its own are its root, processes, devices and network.
 * Prints a line for whatever could be done.
 */
const intrude = `
could() { printf '%s\\n' "$*"; }
own() { case $1 in / | /dev | /dev/pts | /proc | /proc/sys/net | /run/netns*) return 0 ;; esac; return 1; }
cut -d" " -f5 /proc/self/mountinfo | while read -r place; do
	place=$(printf %b "$place")
	own "$place" && continue
	if [ -d "$place" ]; then
		(: >"$place/lab-intruder") 2>/dev/null && could create in "$place"
		mkdir "$place/lab-intruder-folder" 2>/dev/null && could mkdir in "$place"
	else
		[ -c "$place" ] || { (: >>"$place") 2>/dev/null && could open "$place"; }
	fi
	chmod 777 "$place" 2>/dev/null && could chmod "$place"
	touch -c -d 2020-01-01 "$place" 2>/dev/null && could touch "$place"
	mount -o remount,bind,rw "$place" 2>/dev/null && could remount "$place"
	umount "$place" 2>/dev/null && could umount "$place"
done
for file in $(find /sys /proc -path '/proc/[0-9]*' -prune -o -path /proc/self -prune -o -path /proc/thread-self -prune \\
	-o -path /proc/sys/net -prune -o -type f -perm /222 -print); do
	(: >>"$file") 2>/dev/null && could open "$file"
done
ip netns add intruder && ip netns exec intruder find /sys -type f -perm /222 | while read -r file; do
	(ip netns exec intruder sh -c ': >>"$1"' sh "$file") 2>/dev/null && could open "$file" in a namespace of its own
	break
done
find /dev '(' -type b -o -type c ')' | while read -r file; do
	case $file in /dev/null | /dev/zero | /dev/full | /dev/random | /dev/urandom | /dev/tty | /dev/net/tun | /dev/pts/*) ;;
	*) could see "$file" ;; esac
done
mknod /tmp/memory c 1 1 2>/dev/null && could mknod
echo 1 >/proc/sys/net/ipv4/ip_forward || could not forward
(: >/etc/lab-own && : >/usr/lib/lab-own && : >/run/lab-own && : >/tmp/lab-own && : >/dev/null) || could not write its own
true
`;

await using stack = new AsyncDisposableStack();
const run = stack.use(await openRun('an intruder'));
const wasmtime = { file: '/bin/true', version: 'none', sha256: '', pinned: false };
const machine = stack.use(await startLocal(wasmtime, run, signal));
const ended = await machine.exec(['sh', '-c', intrude], { signal });
process.stdout.write(JSON.stringify(ended));
