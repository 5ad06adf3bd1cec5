/** One thing that was looked at. With `fatal` nothing can be run before that is remedied. */
export type CheckResult = {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly remedy?: string;
  readonly fatal?: boolean;
};
