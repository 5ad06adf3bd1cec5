import { once } from 'node:events';
import { run } from '../../../system/run.ts';
import { spawn } from '../../../system/spawn.ts';
import { dropPrivileges } from '../../../system/users.ts';
import { deadline, retry } from '../../../system/wait.ts';
import { LaunchError } from '../../process/launch.ts';
import { isRunning, type ProcessId, procStat, signalProcess } from '../../process/proc.ts';

/**
 * Marks a process that holds a network namespace for an instance, so that a later engine finds it: its value is the
 * instance's journal file.
 */
export const holderMark = 'OAKESTRA_NAMESPACE';

/** Instances have no capabilities and may listen on port 80; a kernel before 4.11 has no such setting. */
const openPorts = '[ ! -e "$0" ] || echo 0 >"$0"';
const portsFile = '/proc/sys/net/ipv4/ip_unprivileged_port_start';

/** Nobody asks for the end of a process that only waits: 68 years, which every sleep(1) can count. */
const forever = '2147483647';

const hold = `ip link set lo up && ${openPorts} && echo ready && exec "$@" >/dev/null`;

const startMs = 10_000;
const endMs = 10_000;

/** The network namespace of a process, as nsenter(1) takes it. */
export const namespaceFileOf = ({ pid }: ProcessId): string => `/proc/${pid}/ns/net`;

/**
 * Starts a process that does nothing in a network namespace of its own, whose loopback device is up and whose ports
 * everyone may listen on. It outlives the engine. Throws {@link LaunchError}.
 */
export const startHolder = async (mark: string, user: number | undefined): Promise<ProcessId> => {
  const argv = ['--net', '--', 'sh', '-c', hold, portsFile, ...dropPrivileges(user), 'sleep', forever];
  const child = spawn('unshare', argv, {
    cwd: '/',
    detached: true,
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin:/usr/sbin:/sbin', [holderMark]: mark },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (text) => (said += String(text)));
  using limit = deadline(new AbortController().signal, startMs, 'making a network namespace');
  const ended = once(child, 'exit', { signal: limit }).then(([code]) => {
    throw new LaunchError(`no network namespace could be made: unshare ended with ${code}: ${said.trim()}`);
  });
  try {
    await Promise.race([once(child.stdout, 'data', { signal: limit }), ended]);
  } catch (error) {
    child.kill('SIGKILL');
    if (error instanceof LaunchError) throw error;
    throw new LaunchError('no network namespace could be made', { cause: limit.aborted ? limit.reason : error });
  } finally {
    ended.catch(() => undefined);
    child.stdout.destroy();
    child.stderr.destroy();
    child.unref();
  }
  const pid = child.pid ?? 0;
  return { pid, start: (await procStat(pid))?.start ?? 0 };
};

/** Ends a process of {@link startHolder}; its namespace goes with it and what else is in there. */
export const stopHolder = async (id: ProcessId): Promise<void> => {
  if (!(await signalProcess(id, 'SIGKILL'))) return;
  using limit = deadline(new AbortController().signal, endMs, `the end of process ${id.pid}`);
  const gone = async () => {
    if (await isRunning(id)) throw new LaunchError('still running');
  };
  await retry(gone, { first: 5, growth: 2, most: 250 }, limit, () => undefined);
};

/** Lets everyone listen on the ports below 1024 of a namespace that NetManager made: only this project's does that. */
export const openLowPorts = async (namespace: string): Promise<void> => {
  await run(['nsenter', `--net=${namespace}`, '--', 'sh', '-c', openPorts, portsFile]);
};
