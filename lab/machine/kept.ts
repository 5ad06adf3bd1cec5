import type { ExecResult } from '../system/process.ts';

/** A machine that was left running, as a later process of the lab reaches it. */
export type KeptMachine = {
  /** Runs a program on it. */
  readonly exec: (argv: readonly string[], signal: AbortSignal) => Promise<ExecResult>;
  /**
   * Joins this process's terminal to a shell on it, inside an instance's network namespace where `instance` names one.
   * Resolves when the person leaves; throws a lab fault when the machine does not answer.
   */
  readonly shell: (instance: string | undefined, signal: AbortSignal) => Promise<void>;
};
