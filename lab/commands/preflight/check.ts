import type { CheckResult } from '../../system/check-result.ts';

/** What a run needs of this computer; a check is made for the runs that need what it looks at. */
export type Need = 'every run' | 'reports' | 'board files' | 'namespaces' | 'ssh' | 'mirror' | 'wasmtime' | 'doctor';

/** What a check may have to know of the run. */
export type Subject = { readonly reports: string; readonly signal: AbortSignal };

/** What a check found: `fatal` where a run that needs it cannot go on. */
export type Outcome = Omit<CheckResult, 'name'>;

/** One thing that can be known before a run. */
export type Check = {
  readonly name: string;
  readonly need: Need;
  /** Undefined where there is nothing to look at, as an earlier check has found. */
  readonly look: (subject: Subject) => Outcome | Promise<Outcome | undefined>;
};

export const good = (detail: string): Outcome => ({ ok: true, detail });

/** Worth a remark, but nothing that a run fails of. */
export const remark = (detail: string, remedy: string): Outcome => ({ ok: true, detail, remedy });

export const bad = (detail: string, remedy: string): Outcome => ({ ok: false, fatal: true, detail, remedy });
