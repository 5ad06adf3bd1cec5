import type { Cluster } from '../cluster/cluster.ts';
import type { Deployment, InstanceAddress } from '../cluster/deployment.ts';
import type { LoadResult } from '../load/load.ts';
import type { Capability, Endpoint, Machine } from '../machine/machine.ts';
import type { App } from '../wasm/app.ts';
import type { Expect } from './expect.ts';
import type { Footprint } from './footprint.ts';
import type { Answer, Where } from './places.ts';
import type { Shell } from './shell.ts';

/** The worker's network as a scenario wants it; `subnet` is the address of its /26. */
export type NetworkWish = {
  readonly topology: 'bridged' | 'veth';
  readonly subnet: string;
  readonly subnet6?: string;
  readonly egress?: 'on' | 'off' | readonly string[];
};

/** A deployed instance that answers. */
export type Service = {
  readonly task: string;
  readonly address: InstanceAddress;
  readonly deployment: Deployment;
  /** Inside its network namespace. */
  readonly instance: Where;
};

/** What a step works with, bound to the place where it runs. */
export type StepTools = {
  readonly $: Shell;
  readonly get: (url: string, timeoutMs?: number) => Promise<Answer>;
  readonly expect: Expect;
  /** Aborted when the run ends or the machine is gone. */
  readonly signal: AbortSignal;
};

/** What a scenario is given. */
export type Lab = {
  readonly board: Where;
  readonly lab: Where;
  readonly machine: Machine;
  readonly cluster: Cluster;
  /** The component under test; `body` is what it has to answer, when that is known beforehand. */
  readonly app: App;
  readonly options: ScenarioOptions;
  /** One named step. It fails when an expectation in it failed or when it throws, and ends the scenario then. */
  readonly step: <T>(name: string, where: Where, body: (tools: StepTools) => Promise<T>) => Promise<T>;
  /** Deploys the app through the cluster and waits until the worker says that it runs. */
  readonly deploy: (spec?: {
    readonly port?: string;
    readonly instance?: number;
    readonly memory?: number;
  }) => Promise<Service>;
  readonly undeploy: (service: Service) => Promise<void>;
  /** Makes a TCP port of the board reachable from the lab. */
  readonly forward: (boardPort: number) => Promise<Endpoint>;
  /** Loads a URL from the lab as the options say, records it in the report under `name`, and returns what was counted. */
  readonly load: (
    name: string,
    url: string,
    expected: { readonly status: number; readonly body: string },
  ) => Promise<LoadResult>;
  readonly footprint: () => Promise<Footprint>;
  /** Puts the first answer of the service into the report. */
  readonly firstAnswer: (answer: Answer) => void;
};

export type ScenarioOptions = {
  /** Kept connections of the load. */
  readonly connections: number;
  /** Seconds of load. */
  readonly duration: number;
};

export type Scenario = {
  /** One sentence: the question that the scenario answers. */
  readonly about: string;
  /** What a machine must be able to do. */
  readonly needs: readonly Capability[];
  readonly network: NetworkWish;
  readonly run: (lab: Lab) => Promise<void>;
};

/** Defines a scenario; a file that exports one by default is found by its name, without registration. */
export const scenario = (definition: Scenario): Scenario => definition;
