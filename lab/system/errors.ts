/** Who is to blame, as the exit code says it. */
export type Fault = 'product' | 'incomplete' | 'lab' | 'usage';

/** What the lab's programs end with: by a run's verdict, by who is to blame for an error, or by how they were ended. */
export const exitCodes = {
  passed: 0,
  failed: 1,
  product: 1,
  incomplete: 2,
  error: 3,
  lab: 3,
  /** EX_USAGE of sysexits.h. */
  usage: 64,
  /** 128 and SIGINT, as a shell has it. */
  interrupted: 130,
} as const;

/** An error that a person can act on: what went wrong, who is at fault, and the commands to go on with. */
export class LabError extends Error {
  override readonly name: string = 'LabError';
  readonly fault: Fault;
  readonly next: readonly string[];
  /** True when no delay can be the reason, as for a wrong answer. */
  readonly conclusive: boolean;

  constructor(
    message: string,
    details: { fault: Fault; next?: readonly string[]; conclusive?: boolean; cause?: unknown },
  ) {
    super(message, { cause: details.cause });
    this.fault = details.fault;
    this.next = details.next ?? [];
    this.conclusive = details.conclusive ?? false;
  }
}

/** The exit code for an error that reached the top; whatever is not a {@link LabError} is the lab's own fault. */
export const exitCodeOf = (error: unknown): number => exitCodes[error instanceof LabError ? error.fault : 'lab'];

/** Why work was aborted when the user, or who started the lab, asked it to end. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor() {
    super('interrupted');
  }
}

/** A failure of the lab itself: image, emulator, network, host. */
export const labFault = (message: string, next: readonly string[] = [], cause?: unknown): LabError =>
  new LabError(message, { fault: 'lab', next, cause });

/** A wrong word on the command line or in a file that the user wrote. */
export const usageFault = (message: string, next: readonly string[] = []): LabError =>
  new LabError(message, { fault: 'usage', next });

/** What an error says, its causes included, in one line; nothing is said twice. */
export const messageOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : messageOf(error.cause);
  return error.message.endsWith(cause) ? error.message : `${error.message}: ${cause}`;
};

/** The first of several errors: the others came while it was dealt with. */
export const firstOf = (error: unknown): unknown =>
  error instanceof SuppressedError ? firstOf(error.suppressed) : error;

/** True when `error` only says that the user or a deadline ended the work. */
export const isAbort = (error: unknown): boolean =>
  error instanceof Error && (error instanceof Interrupted || error.name === 'AbortError' || isAbort(error.cause));
