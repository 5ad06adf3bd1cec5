import type { ClusterMessage, Violation } from '../../cluster/messages.ts';
import type { MachineStart } from '../../machine/machine.ts';
import type { Expectation, Place, Verdict } from '../../report/model/results.ts';
import type { CommandRecord } from './shell.ts';

/** What happens during a run, in order; `ms` is since its start. One writer a format listens to these. */
export type LabEvent = { readonly ms: number } & (
  | { readonly kind: 'run-started'; readonly id: string; readonly scenario: string; readonly machine: string }
  | { readonly kind: 'step-started'; readonly step: string; readonly place: Place; readonly board?: string }
  /** How far a step has come; every one that is under way, where none is named. */
  | { readonly kind: 'progress'; readonly text: string; readonly step?: string }
  /** How the board that a step starts came to run, where that is not always the same. */
  | { readonly kind: 'board-started'; readonly step: string; readonly start: MachineStart }
  | { readonly kind: 'command'; readonly place: Place; readonly board?: string; readonly typed: CommandRecord }
  | { readonly kind: 'expectation'; readonly step: string; readonly expectation: Expectation }
  | { readonly kind: 'step-ended'; readonly step: string; readonly verdict: Verdict; readonly tookMs: number }
  | { readonly kind: 'cluster-message'; readonly message: ClusterMessage }
  | { readonly kind: 'violation'; readonly violation: Violation }
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'run-ended'; readonly verdict: Verdict }
);

type WithoutTime<T> = T extends { readonly ms: number } ? Omit<T, 'ms'> : never;

/** Says that something happened, now. */
export type Emit = (event: WithoutTime<LabEvent>) => void;
