import { type LabError, labFault } from './errors.ts';

type Known = { readonly reason: string; readonly remedy: string };

const rights = 'give it to this user (chown), or name another folder';
const network = 'npm run lab -- doctor';

/** Errors of the operating system (errno(3), getaddrinfo(3)) that a person can do something about. */
const known: Readonly<Record<string, Known>> = {
  EACCES: { reason: 'this user has no right to do that', remedy: rights },
  EPERM: { reason: 'this user has no right to do that', remedy: rights },
  EROFS: { reason: 'its file system is mounted read-only', remedy: 'mount it writable, or name another folder' },
  ENOSPC: { reason: 'no space is left on its file system', remedy: 'make room there: npm run lab -- clean --cache' },
  EDQUOT: { reason: "this user's disk quota is used up", remedy: 'make room: npm run lab -- clean --cache' },
  ENOENT: { reason: 'it does not exist', remedy: 'git status shows whether the checkout lacks a file' },
  ENOTDIR: { reason: 'a part of that path is a file', remedy: 'remove that file, or name another folder' },
  EEXIST: { reason: 'something else has that name', remedy: 'remove it, or name another folder' },
  ELOOP: { reason: 'its links lead in a circle', remedy: 'remove the link, or name another folder' },
  ENAMETOOLONG: { reason: 'the path is too long', remedy: 'name a folder with a shorter path' },
  EIO: { reason: 'the device failed to read or write', remedy: 'dmesg shows which device has errors' },
  EMFILE: { reason: 'this process has too many files open', remedy: 'ulimit -n 4096' },
  ENFILE: { reason: 'this computer has too many files open', remedy: 'sysctl fs.file-max shows its limit' },
  ENOMEM: { reason: 'no memory is left', remedy: 'end other programs, or add memory' },
  EAGAIN: { reason: 'no more processes can be started', remedy: 'ulimit -u shows the limit' },
  EADDRINUSE: { reason: 'the address is in use', remedy: 'ss -ltnp shows by which program' },
  ECONNREFUSED: { reason: 'nobody listens there', remedy: network },
  ECONNRESET: { reason: 'the other side broke the connection off', remedy: network },
  ETIMEDOUT: { reason: 'no answer came', remedy: network },
  EHOSTUNREACH: { reason: 'no route leads there', remedy: network },
  ENETUNREACH: { reason: 'no route leads there', remedy: network },
  ENOTFOUND: { reason: 'the name is unknown', remedy: network },
  EAI_AGAIN: { reason: 'the name server does not answer', remedy: network },
};

const verbs: Readonly<Record<string, string>> = {
  mkdir: 'cannot make the folder',
  mkdtemp: 'cannot make the folder',
  open: 'cannot open',
  write: 'cannot write to a file',
  rename: 'cannot rename',
  symlink: 'cannot make a link to',
  scandir: 'cannot list',
  unlink: 'cannot remove',
  rm: 'cannot remove',
  rmdir: 'cannot remove',
  connect: 'cannot connect to',
  getaddrinfo: 'cannot look up',
  listen: 'cannot listen on',
};

const subjectOf = (error: NodeJS.ErrnoException & { address?: string; port?: number; hostname?: string }): string =>
  error.path ?? error.hostname ?? [error.address, error.port].filter((part) => part !== undefined).join(':');

/** `cannot open /x: its file system is mounted read-only (EROFS)`. */
const sentence = (error: NodeJS.ErrnoException, code: string, { reason }: Known): string => {
  const verb = error.syscall?.startsWith('spawn')
    ? 'cannot start'
    : (verbs[error.syscall ?? ''] ?? `${error.syscall ?? 'a system call'} failed for`);
  return `${`${verb} ${subjectOf(error)}`.trim()}: ${reason} (${code})`;
};

const firstKnown = (error: unknown): NodeJS.ErrnoException | undefined => {
  if (!(error instanceof Error)) return undefined;
  const { code }: NodeJS.ErrnoException = error;
  return code !== undefined && Object.hasOwn(known, code) ? error : firstKnown(error.cause);
};

/**
 * Why the operating system refused something, as a part of a sentence, and what to do about it. Undefined for any other
 * error.
 */
export const systemReason = (error: unknown): { readonly reason: string; readonly remedy: string } | undefined => {
  const { code = '' } = firstKnown(error) ?? {};
  const entry = known[code];
  return entry && { reason: `${entry.reason} (${code})`, remedy: entry.remedy };
};

/**
 * An error of the operating system as a lab fault that says what could not be done, why, and what to do. Undefined for
 * any other error: the lab itself is at fault then.
 */
export const systemFault = (error: unknown): LabError | undefined => {
  const found = firstKnown(error);
  const entry = known[found?.code ?? ''];
  if (found === undefined || entry === undefined) return undefined;
  return labFault(sentence(found, found.code ?? '', entry), [entry.remedy]);
};
