import Type, { type Static } from 'typebox';

const PortNumber = Type.Integer({ minimum: 1, maximum: 65_535 });

/** What a standing lab can be asked, one JSON document a line on its control socket. */
export const LabRequest = Type.Union([
  Type.Object({ do: Type.Literal('status') }),
  Type.Object({
    do: Type.Literal('deploy'),
    service: Type.String({ minLength: 1 }),
    component: Type.Object({
      name: Type.String({ minLength: 1 }),
      /** A file in the lab's folder that has its bytes; the lab removes it. */
      file: Type.String({ pattern: '^[\\w-]+\\.wasm$' }),
      sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    }),
    /** As in `8080:80;53/udp`; a free port that leads to 80 when left out. */
    port: Type.Optional(Type.String()),
    environment: Type.Array(Type.String({ pattern: '^[^=]+=' })),
    /** In MB. */
    memory: Type.Optional(Type.Integer({ minimum: 1 })),
    replicas: Type.Integer({ minimum: 1, maximum: 50 }),
  }),
  Type.Object({ do: Type.Literal('undeploy'), service: Type.String({ minLength: 1 }) }),
  Type.Object({ do: Type.Literal('exec'), argv: Type.Array(Type.String(), { minItems: 1 }) }),
  Type.Object({
    do: Type.Literal('load'),
    service: Type.String({ minLength: 1 }),
    path: Type.String({ pattern: '^/' }),
    connections: Type.Integer({ minimum: 1 }),
    seconds: Type.Integer({ minimum: 1 }),
    rate: Type.Optional(Type.Integer({ minimum: 1 })),
  }),
  Type.Object({ do: Type.Literal('history') }),
  Type.Object({ do: Type.Literal('down') }),
]);
export type LabRequest = Static<typeof LabRequest>;

/** A cluster that is not the lab's own, as far as it has answered. */
const JoinedCluster = Type.Object({
  /** `HOST:PORT`, as the user named it. */
  where: Type.String(),
  /** The worker's name there, and its id. */
  host: Type.String(),
  id: Type.Optional(Type.String()),
  dialect: Type.Optional(Type.String()),
  subnet: Type.Optional(Type.String()),
  /** `host:port` of the broker that the worker is connected to. */
  broker: Type.Optional(Type.String()),
  /** Why the worker is away, in its words. */
  trouble: Type.Optional(Type.String()),
  publicAddress: Type.String(),
  /** Ports of this computer that lead to the board, or cannot, as `50103/udp`. */
  ports: Type.Array(Type.Object({ port: Type.String(), problem: Type.Optional(Type.String()) })),
});

/** One instance of a service. `memory` is its processes' share in bytes; absent where it does not run. */
const InstanceStatus = Type.Object({
  instance: Type.Integer(),
  task: Type.String(),
  /** The last status that the worker told; of somebody else's cluster, whether it has processes. */
  state: Type.String(),
  detail: Type.String(),
  /** The IPv4 address of its namespace, on the board. */
  address: Type.String(),
  memory: Type.Optional(Type.Number()),
});

const ServiceStatus = Type.Object({
  service: Type.String(),
  /** Absent where somebody else's cluster deployed it. */
  component: Type.Optional(Type.String()),
  sha256: Type.Optional(Type.String()),
  ports: Type.String(),
  /** Where this computer reaches its first TCP port; absent where it has none. */
  address: Type.Optional(Type.String()),
  instances: Type.Array(InstanceStatus),
});
export type ServiceStatus = Static<typeof ServiceStatus>;

export const LabStatus = Type.Object({
  name: Type.String(),
  id: Type.String(),
  machine: Type.String(),
  architecture: Type.String(),
  topology: Type.String(),
  /** ISO 8601. */
  started: Type.String(),
  /** Whether the worker is connected to its cluster. */
  worker: Type.Union([Type.Literal('connected'), Type.Literal('away')]),
  /** Messages of the worker that violate the contract, which only the lab's own cluster looks at. */
  violations: Type.Optional(Type.Integer()),
  cluster: Type.Optional(JoinedCluster),
  /** Set when addresses need the gateway, which runs outside of the lab's namespaces: whether it is there. */
  gateway: Type.Optional(Type.Boolean()),
  services: Type.Array(ServiceStatus),
});
export type LabStatus = Static<typeof LabStatus>;

/** What a deployment came to. `tookMs` is from the request until the worker said CREATED of every instance. */
export const Deployed = Type.Object({
  service: Type.String(),
  address: Type.Optional(Type.String()),
  ports: Type.String(),
  replaced: Type.Boolean(),
  tookMs: Type.Number(),
  notes: Type.Array(Type.String()),
});
export type Deployed = Static<typeof Deployed>;

/** What a load counted, and its figures: latencies in microseconds, `rate` in responses a second. */
export const LoadSummary = Type.Object({
  url: Type.String(),
  counts: Type.Record(Type.String(), Type.Integer()),
  rate: Type.Number(),
  latency: Type.Record(Type.String(), Type.Number()),
  /** CPU time of the service a request in microseconds, where that is a figure. */
  cpu: Type.Optional(Type.Number()),
  /** False where an emulator made the times. */
  performance: Type.Boolean(),
  notes: Type.Array(Type.String()),
});
export type LoadSummary = Static<typeof LoadSummary>;

/** One thing that was done with a lab, and what came of it. */
const Done = Type.Object({
  /** ISO 8601. */
  at: Type.String(),
  what: Type.Enum(['deploy', 'replace', 'undeploy', 'load']),
  service: Type.String(),
  /** From the request to its end. */
  tookMs: Type.Number(),
  /** Why it did not succeed. */
  trouble: Type.Optional(Type.String()),
  /** Of a deployment: what was deployed, and its ports. */
  component: Type.Optional(Type.Object({ name: Type.String(), sha256: Type.String() })),
  ports: Type.Optional(Type.String()),
  replicas: Type.Optional(Type.Integer()),
  load: Type.Optional(LoadSummary),
});
export type Done = Static<typeof Done>;

/** What was done with a lab, oldest first; of very much only the latest. */
const History = Type.Object({ done: Type.Array(Done), forgotten: Type.Integer() });

const Ended = Type.Object({ code: Type.Integer(), stdout: Type.String(), stderr: Type.String() });
const Nothing = Type.Object({});

/** What each request is answered with. */
export const answers = {
  status: LabStatus,
  deploy: Deployed,
  undeploy: Type.Object({ service: Type.String(), tookMs: Type.Number() }),
  exec: Ended,
  load: LoadSummary,
  history: History,
  down: Nothing,
} as const;
export type Answers = { readonly [K in keyof typeof answers]: Static<(typeof answers)[K]> };

/** An error as the other process throws it. */
export const Trouble = Type.Object({
  fault: Type.Union([Type.Literal('product'), Type.Literal('incomplete'), Type.Literal('lab'), Type.Literal('usage')]),
  message: Type.String(),
  next: Type.Array(Type.String()),
});
export type Trouble = Static<typeof Trouble>;

/** A line of an answer: how far it is, or its end. */
export const AnswerLine = Type.Union([
  Type.Object({ progress: Type.String() }),
  Type.Object({ answer: Type.Unknown() }),
  Type.Object({ trouble: Trouble }),
]);
export type AnswerLine = Static<typeof AnswerLine>;

/** What the process of a lab says on its standard output until it stands. */
export const StartLine = Type.Union([
  Type.Object({ kind: Type.Literal('step-started'), step: Type.String() }),
  Type.Object({ kind: Type.Literal('progress'), text: Type.String() }),
  Type.Object({
    kind: Type.Literal('step-ended'),
    step: Type.String(),
    verdict: Type.Union([
      Type.Literal('passed'),
      Type.Literal('failed'),
      Type.Literal('incomplete'),
      Type.Literal('error'),
    ]),
    tookMs: Type.Number(),
  }),
  Type.Object({ kind: Type.Literal('standing') }),
  Type.Object({ kind: Type.Literal('failed'), trouble: Trouble }),
]);
export type StartLine = Static<typeof StartLine>;

/** What a lab tells its gateway: to listen for `socket`, a file beside the gateway's own; at `port` if that is free. */
export const ListenOrder = Type.Object({ socket: Type.String({ pattern: '^[\\w-]+\\.sock$' }), port: PortNumber });
export type ListenOrder = Static<typeof ListenOrder>;

/** What the gateway answers. */
export const Listening = Type.Object({
  socket: Type.String(),
  port: Type.Optional(PortNumber),
  problem: Type.Optional(Type.String()),
});
export type Listening = Static<typeof Listening>;
