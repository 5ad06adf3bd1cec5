import type { Cluster } from '../cluster/cluster.ts';
import type { Deployment, InstanceAddress } from '../cluster/deployment.ts';
import type { LoadResult } from '../load/load-plan.ts';
import type { Expected } from '../load/tally.ts';
import type { Capability, Endpoint, Machine } from '../machine/machine.ts';
import type { LinkConditions, LinkCounts } from '../machine/segment/conditions.ts';
import type { Metric, Place } from '../report/model/results.ts';
import type { App } from '../wasm/app.ts';
import type { Snapshot } from './board/snapshot.ts';
import type { Answer, ExpectedAnswer } from './targets/answer.ts';
import type { Expect } from './targets/expect.ts';
import type { Shell } from './targets/shell.ts';
import type { ExecTarget } from './targets/targets.ts';

/** The worker's network as a scenario wants it; `subnet` is the address of its /26. */
export type NetworkSpec = {
  readonly topology: 'bridged' | 'veth';
  readonly subnet: string;
  readonly subnet6?: string;
  readonly egress?: 'on' | 'off' | readonly string[];
};

/** The IPv6 addresses of a network, its /120. */
export const subnet6Of = ({ subnet6 = 'fd00::' }: NetworkSpec): string => subnet6;

/** A board of a scenario. */
export type Board = ExecTarget & {
  /** Its name, which is its host name too where there are several. */
  readonly name: string;
  readonly machine: Machine;
  /** Its IPv4 address on the segment of several boards. */
  readonly address?: string | undefined;
  /** What there is on the board, once it is at rest. */
  readonly snapshot: () => Promise<Snapshot>;
  /** What is on the board and was not before, or the other way round, and stays so. */
  readonly changes: (before: Snapshot) => Promise<readonly string[]>;
  /** Makes one of its TCP ports reachable from the lab. */
  readonly forward: (boardPort: number) => Promise<Endpoint>;
  /**
   * Makes its link to the other boards as `conditions` say and nothing else: whole again when they are empty. Resolves
   * with what has crossed it so far, and what was lost on it.
   */
  readonly link: (conditions: LinkConditions) => Promise<LinkCounts>;
  /** Switches it off as a power cut does. What stood there is gone; the cluster is not told. */
  readonly powerOff: () => Promise<void>;
};

/** A deployed instance that answers. */
export type Service = {
  readonly task: string;
  /** The addresses of its namespace, which its own board reaches. */
  readonly address: InstanceAddress;
  /** The addresses that stand for any instance of the service, and for this one, on every board. */
  readonly serviceAddress: InstanceAddress;
  readonly instanceAddress: InstanceAddress;
  readonly board: Board;
  readonly deployment: Deployment;
  /** Its ports as they were asked for. */
  readonly port?: string | undefined;
  /** Inside its network namespace. */
  readonly instance: ExecTarget;
};

/** What to deploy; the app under test when `app` is left out. */
export type DeploySpec = {
  readonly app?: App;
  /** Ports as in `80:8080/tcp;53`. */
  readonly port?: string;
  readonly instance?: number;
  /** The service's name, `app.ns.service.ns`; the usual one when left out. */
  readonly service?: string;
  /** The board whose worker gets it; the first one when left out. */
  readonly on?: Board;
  /** In MB. */
  readonly memory?: number;
  readonly cmd?: readonly string[];
  /** `K=V` each. */
  readonly environment?: readonly string[];
  readonly oneShot?: boolean;
};

/** One figure that a scenario found, for the report. `time` and `size` are judged by what the machine can give. */
export type Figure = {
  readonly name: string;
  readonly unit: Metric['unit'];
  readonly kind: 'count' | 'performance';
  readonly where: Place;
  readonly dimensions?: Readonly<Record<string, string>>;
  readonly samples: readonly number[];
};

/** How a load differs from what the options say. */
export type LoadOptions = {
  /** Where the generator runs: the lab, unless it is told otherwise. */
  readonly from?: ExecTarget;
  /** Whose CPU time a request is recorded, on machines that give figures. */
  readonly service?: Service;
  readonly seconds?: number;
  readonly connections?: number;
  /** Requests a second on a fixed schedule, instead of as many as are answered. */
  readonly perSecond?: number;
  /** False: a new connection for every request. */
  readonly keepAlive?: boolean;
  /** A load with errors, timeouts or wrong answers, or without any answer, fails its step, unless this is said. */
  readonly mayFail?: boolean;
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
  /** The board; the first one, where there are several. */
  readonly board: Board;
  /** The nth board of several, from 1. Throws when the scenario has fewer. */
  readonly boardNumber: (n: number) => Board;
  readonly lab: ExecTarget;
  readonly machine: Machine;
  readonly cluster: Cluster;
  /** The component under test. */
  readonly app: App;
  /** What it has to answer. */
  readonly expectedAnswer: ExpectedAnswer;
  readonly options: ScenarioOptions;
  /** One named step. It fails when an expectation in it failed or when it throws, and ends the scenario then. */
  readonly step: <T>(name: string, where: ExecTarget, body: (tools: StepTools) => Promise<T>) => Promise<T>;
  /** Deploys the app through the cluster and waits until the worker says that it runs. */
  readonly deploy: (spec?: DeploySpec) => Promise<Service>;
  readonly undeploy: (service: Service) => Promise<void>;
  /** Sends a deployment and does not wait; for what is not meant to run. */
  readonly send: (spec?: DeploySpec) => Deployment;
  /** Puts the app, compiled ahead of time for the board, where the worker looks for it. */
  readonly precompile: (app: App) => Promise<void>;
  /** Changes the worker's network and starts NetManager again; resolves when it has its addresses. */
  readonly configure: (change: Partial<NetworkSpec>) => Promise<void>;
  /** Serves `body` over HTTP from the lab until the run ends; resolves with `host:port` as the board reaches it. */
  readonly serve: (body: string) => Promise<string>;
  /** Makes a TCP port of the board reachable from the lab. */
  readonly forward: (boardPort: number) => Promise<Endpoint>;
  /**
   * Loads a URL, whose answers have to be `expected` (without a body: any), records it in the report under `name`, and returns what was counted; `cpu` is the service's CPU time a
   * request in microseconds, where that is a figure.
   */
  readonly load: (
    name: string,
    url: string,
    expected: Expected,
    how?: LoadOptions,
  ) => Promise<LoadResult & { readonly cpu: number | undefined }>;
  /** Puts a figure into the report. */
  readonly record: (figure: Figure) => void;
  /** Puts a sentence into the report. */
  readonly note: (text: string) => void;
  /** What there is on the board, once it is at rest. */
  readonly snapshot: () => Promise<Snapshot>;
  /** What is on the board and was not before, or the other way round, and stays so. */
  readonly changes: (before: Snapshot) => Promise<readonly string[]>;
  /** Puts an answer of the service into the report, if it is the first one. */
  readonly firstAnswer: (answer: Answer) => void;
};

export type ScenarioOptions = {
  /** Connections of the load; on a schedule, how many requests may be under way at once. */
  readonly connections: number;
  /** Seconds of load. */
  readonly duration: number;
  /** Requests a second on a fixed schedule. */
  readonly rate?: number | undefined;
  /** False: every request of a load has a connection of its own. */
  readonly keepAlive?: boolean;
};

export type Scenario = {
  /** One sentence: the question that the scenario answers. */
  readonly description: string;
  /** What a machine must be able to do. */
  readonly requires: readonly Capability[];
  readonly network: NetworkSpec;
  /** How many boards it takes, on a network segment of their own; one when left out. */
  readonly machines?: number;
  /** Its second board has another NetManager, which the user names: it cannot run without. */
  readonly otherNetManager?: true;
  /** It asks about the boot itself: its boards are booted, never restored from a saved boot. */
  readonly fresh?: true;
  /** It runs only when it is named, not as a part of a suite of all. */
  readonly onRequest?: boolean;
  /** What its steps make on the board beside what the worker makes: it is refused where that stands already. */
  readonly claims?: { readonly networks: readonly string[]; readonly names: readonly string[] };
  /** It deploys components of its own and nothing else: another one to deploy is refused. */
  readonly ownApps?: boolean;
  /** Seconds that the scenario may take on native hardware beside its loads; two minutes when left out. */
  readonly seconds?: number;
  readonly run: (lab: Lab) => Promise<void>;
};

/** Defines a scenario; a file that exports one by default is found by its name, without registration. */
export const scenario = (definition: Scenario): Scenario => definition;
