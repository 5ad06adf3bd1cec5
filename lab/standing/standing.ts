import type { Answers, LabRequest, LabStatus } from './protocol.ts';

type Request<K extends LabRequest['do']> = Extract<LabRequest, { readonly do: K }>;

/** What stands behind a lab's board: its own cluster with services, or somebody else's. */
export type Standing = {
  readonly status: (
    signal: AbortSignal,
  ) => Promise<Pick<LabStatus, 'worker' | 'violations' | 'gateway' | 'cluster' | 'services'>>;
  readonly deploy: (request: Request<'deploy'>, progress: (text: string) => void) => Promise<Answers['deploy']>;
  readonly undeploy: (request: Request<'undeploy'>) => Promise<Answers['undeploy']>;
  readonly load: (request: Request<'load'>, signal: AbortSignal) => Promise<Answers['load']>;
};
