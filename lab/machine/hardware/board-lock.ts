import fs from 'node:fs';
import os from 'node:os';
import { labFault } from '../../system/errors.ts';
import { identityOf } from '../../system/identity.ts';
import type { BoardShell } from './ssh/board-shell.ts';

/** Where the lab's own things are on a board while a run lasts. */
export const labFolder = '/run/oakestra-lab';

const file = `${labFolder}/lock`;
/** The beginning of a script that does nothing unless the owner `$1` has the lock: another run may have come since. */
export const onlyIfOwner = `[ "$(head -n 1 ${file} 2>/dev/null)" = "$1" ] || exit 0`;

/** What is said to a user who is not root on a board. */
export const notRoot = 'you are not root there and sudo asks for a password; networks and namespaces need root';

const beatMs = 20_000;
const shownLock = 100;
/** A lab that lives renews its lock every {@link beatMs}. */
const staleSeconds = 90;

/**
 * Takes the lock for the owner `$1` unless it is there; then prints whose it is and its age in seconds. Time is the
 * board's since it was started: its clock may jump. A lock that `$2` had is given up by him first.
 */
const takeScript = `
[ "$(id -u)" = 0 ] || { echo '${notRoot}' >&2; exit 1; }
mkdir -p ${labFolder} || exit 1
now=$(cut -d. -f1 /proc/uptime)
if [ -n "$2" ]; then
	mv ${file} ${file}.$$ 2>/dev/null
	[ "$(head -n 1 ${file}.$$ 2>/dev/null)" = "$2" ] || ln ${file}.$$ ${file} 2>/dev/null
	rm -f ${file}.$$
fi
( set -C; printf '%s\\n%s\\n' "$1" "$now" >${file} ) 2>/dev/null && exit 0
{ read -r owner; read -r seen; } <${file}
printf '%s\\n%s\\n' "$((now - seen))" "$owner"
`;

const renewScript = `
[ "$(head -n 1 ${file})" = "$1" ] || exit 1
printf '%s\\n%s\\n' "$1" "$(cut -d. -f1 /proc/uptime)" >${file}.new && mv ${file}.new ${file}
`;

const giveScript = `[ "$(head -n 1 ${file} 2>/dev/null)" = "$1" ] && rm -f ${file}; rmdir ${labFolder} 2>/dev/null; true`;

const line = (name: string): string => {
  try {
    return fs.readFileSync(name, 'utf8').trim();
  } catch {
    return '';
  }
};

/** Where process ids mean the same as here: this computer, since it was started, in this container. */
const here = (): string => {
  const container = fs.readlinkSync('/proc/self/ns/pid');
  return [os.hostname(), line('/proc/sys/kernel/random/boot_id'), container].join('/');
};

/** This process as the owner of a lock on some board: where, which process, which run. */
export const ownerOf = (run: string, pid = process.pid): string => `${here()} ${identityOf(pid)} ${run}`;

/** True when whoever took a lock is known to have ended, or has not been heard of for too long. */
export const isStale = (owner: string, age: number): boolean => {
  const [where, pid = '', began] = owner.split(' ');
  if (age >= staleSeconds || age < 0) return true;
  return where === here() && identityOf(pid) !== `${pid} ${began}`;
};

/** Whose a lock is and how many seconds ago that was said, as the script prints it; undefined when that is no lock. */
export const parseLock = (
  printed: string,
): { readonly age: number; readonly owner: string; readonly words: string } | undefined => {
  const [, age, owner = '', where = '', pid, run] = /^(-?\d+)\n((\S+?)\/\S* (\d+) \d+ (\S+))\n?$/.exec(printed) ?? [];
  if (age === undefined) return undefined;
  return { age: Number(age), owner, words: `the lab on ${where} (process ${pid}, run ${run})` };
};

/** Takes a board for `mine` until it is disposed of. Throws a lab fault when another run has it. */
export const lockBoard = async (
  name: string,
  shell: BoardShell,
  mine: string,
  lost: (reason: Error) => void,
): Promise<AsyncDisposable> => {
  const take = (given: string) => shell.script(`${name} cannot be locked`, takeScript, [mine, given]);
  let held = await take('');
  const before = parseLock(held);
  if (before && isStale(before.owner, before.age)) held = await take(before.owner);
  const other = parseLock(held);
  if (other) throw labFault(`${name} is in use by ${other.words}`, ['wait until that run has ended']);
  if (held !== '')
    throw labFault(`${name} has a lock with unknown content: ${JSON.stringify(held.slice(0, shownLock))}`, [
      `there, if no lab uses it: rm ${file}`,
    ]);
  const timer = setInterval(() => {
    void shell.exec(['sh', '-c', renewScript, 'sh', mine]).then(
      ({ code }) => code === 0 || lost(labFault(`another run has taken the lock of ${name}`)),
      () => {
        // the connection says so itself
      },
    );
  }, beatMs);
  timer.unref();
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await shell.exec(['sh', '-c', giveScript, 'sh', mine]);
    },
  };
};
