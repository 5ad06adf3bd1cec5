import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessId } from '../../process/proc.ts';

/** How often an instance's network is looked at, and how often it has to be missing: others repair it in 5 s. */
const lookMs = 4000;
const misses = 3;

/** What the kernel answers when nobody is at an address, or no way leads to it. */
const unreachable = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN']);

/** Nothing listens here as a rule: a refused connection is an answer, too. */
const probePort = 9;
const probeMs = 3500;

/** The first address of a namespace that is not loopback, from the text of its `/proc/<pid>/net/fib_trie`. */
export const firstAddress = (trie: string): string | undefined => {
  const lines = trie.split('\n').map((line) => line.trim());
  const at = lines.findIndex(
    (line, index) => line === '/32 host LOCAL' && !(lines[index - 1] ?? '').startsWith('|-- 127.'),
  );
  return at < 0 ? undefined : /^\|-- (?<address>[\d.]+)$/.exec(lines[at - 1] ?? '')?.groups?.['address'];
};

/** True when the kernel knows that nobody can be reached at an address; what answers nothing may only be busy. */
const isUnreachable = async (address: string): Promise<boolean> => {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: address, port: probePort, timeout: probeMs }, () => resolve(false));
  socket.once('timeout', () => resolve(false));
  socket.once('error', (error: NodeJS.ErrnoException) => resolve(unreachable.has(error.code ?? '')));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
};

/** True for the address of another instance, made later: a NetManager that was restarted may give one out twice. */
type Addresses = (address: string) => boolean;

/** What is wrong with the network of a process; undefined when nothing is, and when the process has ended. */
const trouble = async ({ pid }: ProcessId, others: Addresses): Promise<string | undefined> => {
  const trie = await readFile(`/proc/${pid}/net/fib_trie`, 'utf8').catch(() => undefined);
  if (trie === undefined) return undefined;
  const address = firstAddress(trie);
  if (address === undefined) return 'its namespace has no address any more';
  if (others(address)) return `its address ${address} was given to another instance`;
  return (await isUnreachable(address))
    ? `its address ${address} cannot be reached from this board any more`
    : undefined;
};

/**
 * Looks after the network of a running instance. `onChange` is told when it is missing and when it is back; resolves
 * with what is wrong once it stays missing. Rejects when `signal` aborts.
 */
export const networkLost = async (
  id: ProcessId,
  others: Addresses,
  onChange: (present: boolean) => void,
  signal: AbortSignal,
): Promise<string> => {
  for (let missed = 0; ; ) {
    await sleep(lookMs, undefined, { signal });
    const wrong = await trouble(id, others);
    missed = wrong === undefined ? 0 : missed + 1;
    if (missed <= 1) onChange(missed === 0);
    if (wrong !== undefined && missed >= misses) return wrong;
  }
};
