import type { ComponentInfo, World } from '../../contract/component.ts';
import type { DeployRequest } from '../../contract/job.ts';
import type { Serving } from './serving.ts';

/** What a runtime is given to run: a component, or native code that was made from it on this node or put here by root. */
export type Program = { readonly file: string; readonly precompiled: boolean };

/** How a component is run, and what of the job could not be given to it. */
export type RunPlan = {
  readonly world: World;
  /** The port that answers HTTP; only a `proxy` has one. */
  readonly port: number | undefined;
  /** The runtime's arguments before and after the file. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /**
   * Environment of the runtime's process itself. The job's values are in it, because everyone can read the arguments of
   * a process.
   */
  readonly environment: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
};

/** A program on this node that runs components. What the rest of the engine knows of it is in here. */
export type Runtime = {
  /** As logs and answers name it. */
  readonly name: string;
  readonly version: string;
  readonly path: string;
  /** The user that it runs as for no instance in particular; undefined for the engine's own. */
  readonly user: number | undefined;
  /** Set when every instance, and every compiler, runs as a user of its own. */
  readonly separate: boolean;
  /** How a component runs as its job asks. Throws InvalidData for one that cannot be started here. */
  readonly plan: (job: DeployRequest, info: ComponentInfo, serving: Serving) => Promise<RunPlan>;
  /** The argv that runs a program; `confined` when its process may not reserve more memory than it uses. */
  readonly argv: (plan: RunPlan, program: Program, confined: boolean) => readonly string[];
  /** The argv that compiles a component into the file `output`. */
  readonly compileArgv: (component: string, options: readonly string[], output: string) => readonly string[];
  /** A function that tells whether a command's process has linked its program and begun with it; ask it repeatedly. */
  readonly hasBegun: (pid: number, program: Program) => () => Promise<boolean>;
  /** True when what a process said tells that its runtime does not take this native code, of which nothing has run then. */
  readonly refusesCode: (said: string, native: Program) => boolean;
};
