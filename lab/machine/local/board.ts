import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { labFault } from '../../system/errors.ts';
import { collect } from '../../system/process.ts';
import type { RunFolder } from '../../system/runs.ts';
import { abortable, deadline } from '../../system/wait.ts';

const startMs = 10_000;

/**
 * The board's first process, still among the lab's mounts. It says its id as the lab sees it, waits for a line, and
 * goes on as `$1` in a mount namespace of its own. That belongs to another user namespace than the lab's mounts, so
 * that the board's root can neither undo them nor make them writable (mount_namespaces(7)).
 */
const first = `
exec 4<&0 </dev/null
read -r pid rest </proc/self/stat
echo "$pid"
read -r word <&4 || exit 1
exec unshare --mount sh -c "$1" init "$2" "$3"
`;

/**
 * Makes `$1` the root, and lives as long as its input is open, unless it is told to stay. It waits as a parent must
 * for every process that lost its own. Only a mount of its own can become the root. Where there is no program to set
 * it, the board has this computer's host name.
 */
const init = `
mount --rbind "$1" "$1" &&
cd "$1" &&
pivot_root . old &&
cd / &&
umount -l /old &&
rmdir /old &&
ip link set lo up || exit 1
hostname "$2"
echo ready
{ read -r word && exec sleep infinity; } <&4 4<&- &
exec >/dev/null 2>&1 4<&-
wait $!
`;

/** A board: its namespaces are those of the process `pid`. */
export type Board = AsyncDisposable & {
  readonly pid: number;
  readonly lost: AbortSignal;
  /** Makes its root what the lab has mounted for it; before, only its other namespaces are there. */
  readonly enterRoot: (signal: AbortSignal) => Promise<void>;
  /** Lets the board go on when this process ends. */
  readonly release: () => void;
};

/**
 * Makes the namespaces of a board that will have `root`, with the environment `env`. It ends with this process, however
 * that ends, and has the run's lock until then.
 */
export const startBoard = async (
  root: string,
  hostname: string,
  { env, lock }: Pick<RunFolder, 'env' | 'lock'>,
  signal: AbortSignal,
): Promise<Board> => {
  const namespaces = ['--user', '--map-root-user', '--net', '--pid', '--uts', '--ipc', '--fork', '--kill-child'];
  const child = spawn('unshare', [...namespaces, 'sh', '-c', first, 'first', init, root, hostname], {
    env,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', lock],
    // the typings know no more than three streams
  }) as ChildProcessByStdio<Writable, Readable, Readable>;
  const lost = new AbortController();
  const errors = collect(child.stderr);
  const ended = once(child, 'close').then(
    ([code, by]) => lost.abort(labFault(`the board ended (${by ?? code}): ${errors().toString().trim()}`)),
    (error: unknown) => lost.abort(labFault('the board could not be started', [], error)),
  );
  // when it has ended its end says so
  child.stdin.on('error', () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (ends: AbortSignal): Promise<string> => {
    const next = await abortable(lines.next(), deadline(startMs, 'the board', ends, lost.signal));
    if (next.done !== true) return next.value;
    await ended;
    throw lost.signal.reason;
  };
  const end = async () => {
    child.stdin.destroy();
    child.kill('SIGKILL');
    await ended;
  };
  try {
    const pid = Number(await line(signal));
    return {
      pid,
      lost: lost.signal,
      enterRoot: async (ends) => {
        child.stdin.write('go\n');
        await line(ends);
      },
      release: () => {
        child.stdin.end('stay\n');
        child.stdout.destroy();
        child.stderr.destroy();
        child.unref();
      },
      [Symbol.asyncDispose]: end,
    };
  } catch (error) {
    await end();
    throw error;
  }
};
