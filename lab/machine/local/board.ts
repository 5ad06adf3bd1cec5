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
 * The board's first process. It says its id as the lab sees it, makes `$1` the root, and lives as long as its standard
 * input is open, unless it is told to stay. It waits as a parent must for every process that lost its own. `ip netns
 * exec` replaces /sys, which the kernel allows an ordinary user only while another one is in sight. Where there is no
 * program to set it, the board has this computer's host name.
 */
const init = `
exec 4<&0 </dev/null
read -r pid rest </proc/self/stat
cd "$1" &&
mount -t proc proc proc &&
mount -t sysfs sysfs sys &&
mount -t sysfs sysfs host/sys &&
pivot_root . old &&
cd / &&
umount -l /old &&
rmdir /old &&
ip link set lo up || exit 1
hostname "$2"
echo "$pid"
{ read -r word && exec sleep infinity; } <&4 4<&- &
exec >/dev/null 2>&1 4<&-
wait $!
`;

/** A started board: its namespaces are those of the process `pid`. */
export type Board = AsyncDisposable & {
  readonly pid: number;
  readonly gone: AbortSignal;
  /** Lets the board go on when this process ends. */
  readonly release: () => void;
};

/**
 * Starts a board in `root` with namespaces of its own and the environment `env`. It ends with this process, however
 * that ends, and has the run's lock until then.
 */
export const startBoard = async (
  root: string,
  hostname: string,
  { env, lock }: Pick<RunFolder, 'env' | 'lock'>,
  signal: AbortSignal,
): Promise<Board> => {
  const namespaces = ['--net', '--mount', '--pid', '--uts', '--ipc', '--fork', '--kill-child'];
  const child = spawn('unshare', [...namespaces, 'sh', '-c', init, 'init', root, hostname], {
    env,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', lock],
    // the typings know no more than three streams
  }) as ChildProcessByStdio<Writable, Readable, Readable>;
  const gone = new AbortController();
  const errors = collect(child.stderr);
  const ended = once(child, 'close').then(
    ([code, by]) => gone.abort(labFault(`the board ended (${by ?? code}): ${errors().toString().trim()}`)),
    (error: unknown) => gone.abort(labFault('the board could not be started', [], error)),
  );
  const end = async () => {
    child.stdin.destroy();
    child.kill('SIGKILL');
    await ended;
  };
  try {
    const lines = createInterface({ input: child.stdout });
    const first = once(lines, 'line') as Promise<string[]>;
    const [line = ''] = await abortable(first, deadline(startMs, 'the board', signal, gone.signal));
    return {
      pid: Number(line),
      gone: gone.signal,
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
