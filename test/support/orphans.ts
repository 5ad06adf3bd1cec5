import { execFileSync } from 'node:child_process';

/** Starts a process whose parent ends first, and succeeds when nothing is left of it a while after its own end. */
const script = `
orphan=$(sh -c 'sleep 0.05 >/dev/null 2>&1 & echo $!')
tries=0
while [ -e "/proc/$orphan" ] && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
[ ! -e "/proc/$orphan" ]`;

/**
 * Why tests of services cannot run here, or false: a service that has ended seems to live for ever where nobody waits
 * for orphans, as in a container whose first process is no init.
 */
export const withoutInit = (): string | false => {
  try {
    execFileSync('sh', ['-c', script], { stdio: 'ignore' });
    return false;
  } catch {
    return 'process 1 does not wait for orphans: start the container with an init (docker run --init)';
  }
};
