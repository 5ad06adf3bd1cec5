/** One thing that was looked at. With `fatal` nothing can be run before that is remedied. */
export type Finding = {
  readonly what: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly remedy?: string;
  readonly fatal?: boolean;
};
