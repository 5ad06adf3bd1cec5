import Type, { type Static } from 'typebox';

/** Version of the document that {@link Results} describes; readers refuse what they don't know. */
export const resultsVersion = 2;

/** The accelerator of a machine that a run did not come to start. */
export const notStarted = 'not started';

/** A moment in UTC as `Date.toISOString` writes it. */
const moment = Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?Z$' });
const digest = Type.String({ pattern: '^[0-9a-f]{64}$' });

/**
 * How an expectation, a step or a run ended. `failed` puts the blame on the product, `error` on the lab, `incomplete`
 * says that something could not be judged.
 */
export const Verdict = Type.Enum(['passed', 'failed', 'error', 'incomplete']);
export type Verdict = Static<typeof Verdict>;

/** Where a step runs: on the board, inside an instance's namespace, or on the lab's side of the uplink. */
export const Place = Type.Enum(['board', 'instance', 'lab']);
export type Place = Static<typeof Place>;

/**
 * What kind of figures a machine can give: `counted` is instructions of a deterministic emulation, `virtualized` is this
 * computer's processor in a virtual machine.
 */
export const Fidelity = Type.Enum(['emulated', 'counted', 'virtualized', 'native', 'hardware']);
export type Fidelity = Static<typeof Fidelity>;

const Expectation = Type.Object({
  name: Type.String(),
  verdict: Verdict,
  expected: Type.Optional(Type.String()),
  actual: Type.Optional(Type.String()),
});
export type Expectation = Static<typeof Expectation>;

const Step = Type.Object({
  name: Type.String(),
  place: Place,
  /** Which board it ran on, of several. */
  board: Type.Optional(Type.String()),
  verdict: Verdict,
  expectations: Type.Array(Expectation),
});
export type Step = Static<typeof Step>;

/** An input of the run by name, version and SHA-256: the kernel, the image, the component, wasmtime, QEMU … */
export const Input = Type.Object({
  name: Type.String(),
  version: Type.Optional(Type.String()),
  sha256: Type.Optional(digest),
  detail: Type.Optional(Type.String()),
});
export type Input = Static<typeof Input>;

/**
 * One measured quantity with one sample a replicate (a boot or a fresh deployment). `count` means the same on every
 * machine; `performance` is only reported where the fidelity is virtualized, native or hardware; `counted` is instructions of a
 * deterministic run, the same for the same inputs; `emulated` is a time seen under emulation: fit for noticing that
 * something hangs, never for comparing.
 */
export const Metric = Type.Object({
  name: Type.String(),
  unit: Type.Enum(['1', 'x', 's', 'ms', 'us', '1/s', 'bytes', '%', 'instructions']),
  kind: Type.Enum(['count', 'performance', 'counted', 'emulated']),
  where: Place,
  dimensions: Type.Record(Type.String(), Type.String()),
  samples: Type.Array(Type.Number()),
});
export type Metric = Static<typeof Metric>;

/** The first answer of the deployed service, whatever it was: body up to 1 KiB as text, in words where it is none. */
const FirstAnswer = Type.Object({
  status: Type.Integer(),
  headers: Type.Record(Type.String(), Type.String()),
  body: Type.String(),
  bodyBytes: Type.Integer(),
});
export type FirstAnswer = Static<typeof FirstAnswer>;

/** A load's latency distribution in microseconds, as an HDR histogram (compressed, base64) with its usual marks. */
const LatencyHistogram = Type.Object({
  name: Type.String(),
  unit: Type.Literal('us'),
  count: Type.Integer(),
  percentiles: Type.Record(Type.String(), Type.Number()),
  hdr: Type.String(),
});
export type LatencyHistogram = Static<typeof LatencyHistogram>;

/** How a load went over time: responses in each whole second since its first one. */
const Throughput = Type.Object({ name: Type.String(), perSecond: Type.Array(Type.Integer()) });
export type Throughput = Static<typeof Throughput>;

/** The network as it really was, for the picture of the topology. */
const Topology = Type.Object({
  kind: Type.Enum(['bridged', 'veth']),
  gateway: Type.String(),
  gateway6: Type.Optional(Type.String()),
  /** The bridge's name, of a bridged network. */
  bridge: Type.Optional(Type.String()),
  instances: Type.Array(
    Type.Object({
      task: Type.String(),
      address: Type.String(),
      address6: Type.Optional(Type.String()),
      /** The board's end of the instance's link. */
      link: Type.Optional(Type.String()),
      ports: Type.Array(Type.String()),
    }),
  ),
});
export type Topology = Static<typeof Topology>;

const Emulator = Type.Object({
  arguments: Type.Array(Type.String()),
  /** How the board came to run: from power-on, or from a saved boot. */
  start: Type.Optional(Type.Enum(['booted', 'restored'])),
});

const Timing = Type.Object({ name: Type.String(), startMs: Type.Number(), ms: Type.Number() });
export type Timing = Static<typeof Timing>;

/** What a real board was like before and after the run, as it says itself: model, clock, temperature, throttling … */
const Condition = Type.Record(
  Type.String(),
  Type.Object({ before: Type.Optional(Type.String()), after: Type.Optional(Type.String()) }),
);
export type Condition = Static<typeof Condition>;

/** One board of several: its name, and what stands under `run` itself where there is one board alone. */
const Board = Type.Object({
  name: Type.String(),
  /** On the network that it shares with the others. */
  address: Type.String(),
  emulator: Type.Optional(Emulator),
  topology: Type.Optional(Topology),
  condition: Type.Optional(Condition),
});

/** Everything that may differ between two runs of the same inputs stands here and nowhere else. */
const Run = Type.Object({
  id: Type.String(),
  started: moment,
  seconds: Type.Number(),
  host: Type.Object({ platform: Type.String(), kernel: Type.String(), cpus: Type.Integer(), node: Type.String() }),
  revision: Type.Object({ commit: Type.String(), dirty: Type.Boolean() }),
  /** The words after `npm run lab --` that repeat the run; files among them lie in the report's folder. */
  command: Type.Optional(Type.Array(Type.String())),
  /** Set when package versions had to be resolved anew because the mirror no longer had the locked ones. */
  unlocked: Type.Array(Type.String()),
  emulator: Type.Optional(Emulator),
  /** Each board, where there are several. */
  boards: Type.Optional(Type.Array(Board)),
  topology: Type.Optional(Topology),
  firstAnswer: Type.Optional(FirstAnswer),
  condition: Type.Optional(Condition),
  timings: Type.Array(Timing),
  metrics: Type.Array(Metric),
  latencies: Type.Array(LatencyHistogram),
  throughput: Type.Optional(Type.Array(Throughput)),
  notes: Type.Array(Type.String()),
  logs: Type.Array(Type.Object({ name: Type.String(), file: Type.String() })),
  failure: Type.Optional(
    Type.Object({
      step: Type.String(),
      message: Type.String(),
      log: Type.Optional(Type.Object({ name: Type.String(), lines: Type.Array(Type.String()) })),
      /** What went over the board's links until then: the pcap among the report's files, and its last packets. */
      packets: Type.Optional(Type.Object({ file: Type.String(), lines: Type.Array(Type.String()) })),
      next: Type.Array(Type.String()),
    }),
  ),
});
export type Run = Static<typeof Run>;

/** `results.json`: what was run with which inputs, what was expected and seen, and, under `run`, this run alone. */
export const Results = Type.Object(
  {
    version: Type.Literal(resultsVersion),
    scenario: Type.Object({ name: Type.String(), description: Type.String() }),
    machine: Type.Object({
      name: Type.String(),
      architecture: Type.Enum(['aarch64', 'x86_64']),
      accelerator: Type.String(),
      fidelity: Fidelity,
      /** How many boards it was, of several. */
      boards: Type.Optional(Type.Integer({ minimum: 2 })),
    }),
    options: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()])),
    inputs: Type.Array(Input),
    verdict: Verdict,
    steps: Type.Array(Step),
    /** The figures of a deterministic run, which are the same with every repetition; those of others are under `run`. */
    metrics: Type.Optional(Type.Array(Metric)),
    run: Run,
  },
  { $id: 'oakestra-wasm-lab/results', $schema: 'https://json-schema.org/draft/2020-12/schema' },
);
export type Results = Static<typeof Results>;
