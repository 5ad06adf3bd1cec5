import type { MachineKind, MachineOptions } from '../machine/kind.ts';
import type { RunFolder } from '../system/runs.ts';
import type { App } from '../wasm/app.ts';
import type { Scenario, ScenarioOptions } from './scenario.ts';
import type { OtherNetManager } from './services/net-manager.ts';
import type { ExpectedAnswer } from './targets/answer.ts';
import type { LabEvent } from './targets/events.ts';

/** What is run, on what, and how. */
export type RunOptions = {
  readonly name: string;
  /** The words after `npm run lab --` that run the same once more. */
  readonly command: readonly string[];
  readonly scenario: Scenario;
  readonly kind: MachineKind;
  readonly machine: MachineOptions;
  readonly app: App;
  /** What it has to answer; its own body to a GET of `/` when left out. */
  readonly expectedAnswer?: ExpectedAnswer | undefined;
  /** The NetManager of its second board, where a scenario takes one. */
  readonly netManager?: OtherNetManager | undefined;
  /** How much load its steps make. */
  readonly load: ScenarioOptions;
  /** Leaves the machine running afterwards. */
  readonly keep: boolean;
  /** Ends the scenario after the step with this name. */
  readonly until?: string | undefined;
  /** Stops it after the step with this name, with a shell for a person, until that is left. */
  readonly pause?: string | undefined;
  /** Where the run keeps what it needs while it lasts; a new folder of this computer's when left out. */
  readonly openRun?: (what: string) => Promise<RunFolder>;
  readonly signal: AbortSignal;
  readonly onEvent: (event: LabEvent) => void;
};

/** A log of the run by its file's name. */
export type Log = { readonly name: string; readonly content: string };
