import type { DeployRequest } from '../../contract/job.ts';
import type { Program, RunPlan, Runtime } from '../runtime/runtime.ts';
import { type Groups, maxThreads, minMegabytes } from './limits.ts';

/** What holds an instance where control groups do not. */
export type OwnLimits = {
  /** Comes before the program's own argv, and sets its limits. */
  readonly argv: readonly string[];
  /** A file with the filter of its system calls, where this node's setpriv knows how to set one. */
  readonly filter: string | undefined;
  /** Set when the runtime may not reserve more memory than it uses. */
  readonly confined: boolean;
  /** What of the job's limits holds otherwise than it would by control groups. */
  readonly notes: readonly string[];
};

const megabyte = 1024 * 1024;
/** The stack of a thread, which counts as a whole however little of it is used, and threads beside those that compute. */
const stackMegabytes = 2;
const furtherThreads = 4;

/**
 * Sets the most bytes that a process may allocate (in KiB) and the most threads of its user, each `-` for no limit.
 * Shells call the second by different letters. Source: setrlimit(2), RLIMIT_DATA and RLIMIT_NPROC.
 */
const bounded =
  '[ "$1" = - ] || ulimit -d "$1" || exit 125; [ "$2" = - ] || ulimit -u "$2" 2>/dev/null || ulimit -p "$2"; shift 2; exec "$@"';

const limitArgv = (kilobytes: number | undefined, threads: number | undefined): readonly string[] =>
  kilobytes === undefined && threads === undefined
    ? []
    : ['sh', '-c', bounded, 'sh', String(kilobytes ?? '-'), String(threads ?? '-')];

type Memory = { readonly kilobytes?: number; readonly note?: string };

const memoryOf = (megabytes: number, plan: RunPlan, program: Program): Memory => {
  const none = 'this node has no control groups for memory';
  if (!program.precompiled)
    return {
      note: `${none}, and the process compiles the component itself: each memory of the component may have ${megabytes} MB, and nothing limits them together`,
    };
  const threads = Number(plan.environment['TOKIO_WORKER_THREADS'] ?? 0) + furtherThreads;
  const whole = Math.ceil(Math.max(megabytes, minMegabytes) + stackMegabytes * threads);
  return {
    kilobytes: (whole * megabyte) / 1024,
    note: `${none}: the process may allocate ${whole} MB in all, its program code aside`,
  };
};

/**
 * What a node's control groups do not limit, limited by the process itself as far as that goes: the bytes that it
 * allocates, all its memories together, once it need not compile; its threads where its user is its own.
 */
export const ownLimits = (
  job: DeployRequest,
  plan: RunPlan,
  program: Program,
  groups: Groups | undefined,
  { separate }: Pick<Runtime, 'separate'>,
  filter: string | undefined,
): OwnLimits => {
  const lacks = (controller: 'memory' | 'cpu' | 'pids') => groups?.controllers.has(controller) !== true;
  const memory: Memory = job.memory && lacks('memory') ? memoryOf(job.memory, plan, program) : {};
  const processor =
    job.vcpus && lacks('cpu')
      ? 'this node has no control groups for processors: vcpus is the number of threads'
      : undefined;
  const threads = separate && lacks('pids') ? maxThreads : undefined;
  return {
    argv: limitArgv(memory.kilobytes, threads),
    filter,
    confined: memory.kilobytes !== undefined,
    notes: [memory.note, processor].filter((note) => note !== undefined),
  };
};
