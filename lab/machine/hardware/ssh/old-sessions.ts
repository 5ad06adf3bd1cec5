import { commandLine } from '../../../system/quote.ts';
import { runMark } from '../../../system/runs.ts';

/**
 * Ends ssh servers other than this one's own that serve processes with the line `$1` in their environment: they have
 * not noticed that their connection is over, and hold the ports that it had forwarded.
 */
const script = `
own=$(sed 's/.*) //' /proc/$$/stat | cut -d' ' -f2)
for file in /proc/[0-9]*/environ; do
	grep -qzx "$1" "$file" 2>/dev/null || continue
	pid=\${file#/proc/}
	server=$(sed 's/.*) //' "/proc/\${pid%/environ}/stat" 2>/dev/null | cut -d' ' -f2)
	[ -n "$server" ] && [ "$server" != "$own" ] || continue
	case $(cat "/proc/$server/comm" 2>/dev/null) in sshd* | dropbear*) kill "$server" ;; esac
done
true
`;

/** A command line that ends what is left on a board of a run's earlier connections. */
export const endOldSessions = (run: string): string =>
  `exec ${commandLine(['sh', '-c', script, 'sh', `${runMark}=${run}`])}`;
