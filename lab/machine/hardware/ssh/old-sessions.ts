import { commandLine } from '../../../system/quote.ts';
import { runMark } from '../../../system/runs.ts';

/**
 * Ends ssh servers other than this one's own that serve processes with the line `$1` in their environment: they have
 * not noticed that their connection is over, and hold the ports that it had forwarded.
 */
const script = `
server_of() {
	pid=$1
	while [ "\${pid:-0}" -gt 1 ]; do
		case $(cat "/proc/$pid/comm" 2>/dev/null) in sshd* | dropbear*) echo "$pid"; return ;; esac
		pid=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d' ' -f2)
	done
}
own=$(server_of $$)
for file in /proc/[0-9]*/environ; do
	grep -qzx "$1" "$file" 2>/dev/null || continue
	pid=\${file#/proc/}
	server=$(server_of "\${pid%/environ}")
	[ -n "$server" ] && [ "$server" != "$own" ] && kill "$server"
done
true
`;

/** A command line that ends what is left on a board of a run's earlier connections. */
export const endOldSessions = (run: string, privilege: readonly string[] = []): string =>
  `exec ${commandLine([...privilege, 'sh', '-c', script, 'sh', `${runMark}=${run}`])}`;
