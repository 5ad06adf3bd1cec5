import { microseconds, recordMs } from '../../../lab/load/tally.ts';
import { recordLoad } from '../../../lab/report/model/load-record.ts';
import type { Fidelity, Results } from '../../../lab/report/model/results.ts';

const latencies = (shape: number) => {
  const histogram = microseconds();
  for (let i = 1; i <= 2000; i += 1) recordMs(histogram, 0.4 + shape / (1 - i / 2001) / 40);
  return histogram;
};

const load = (name: string, fidelity: Fidelity, shape: number) =>
  recordLoad(
    { name, where: 'lab', fidelity },
    {
      sent: 2004,
      responses: 2000,
      wrongStatus: 0,
      wrongBody: 0,
      errors: 0,
      timeouts: 0,
      unfinished: 4,
      seconds: 4.2,
      rate: 476,
      perSecond: [430, 490, 502, 478],
      latency: latencies(shape),
      generator: { cpuShare: 0.31, eventLoopDelayP99Us: 800, bound: false },
    },
  );

/** The results of a run that passed, with everything in them that a report can show. */
export const passedResults = (fidelity: Fidelity = 'emulated'): Results => {
  const loads = [load('port mapping', fidelity, 1.4), load('bridge', fidelity, 1)];
  return {
    version: 2,
    scenario: { name: 'bridged', description: 'A service behind a bridge answers the board, itself and the lab.' },
    machine: { name: 'virt', architecture: 'aarch64', accelerator: 'tcg', fidelity },
    options: { connections: 4, duration: 4 },
    inputs: [
      { name: 'wasmtime', version: '48.0.2', sha256: 'a'.repeat(64) },
      { name: 'hello-wasi-http.wasm', sha256: 'b'.repeat(64), detail: 'fixtures' },
    ],
    verdict: 'passed',
    steps: [
      {
        name: 'deploy',
        place: 'board',
        verdict: 'passed',
        expectations: [{ name: 'status CREATED', verdict: 'passed' }],
      },
      {
        name: 'http from the board',
        place: 'board',
        verdict: 'passed',
        expectations: [{ name: 'status', verdict: 'passed', expected: '200', actual: '200' }],
      },
      { name: 'load', place: 'lab', verdict: 'passed', expectations: [] },
    ],
    run: {
      id: '20260101-120000-bridged',
      started: '2026-01-01T12:00:00.000Z',
      seconds: 32.5,
      host: { platform: 'linux', kernel: '6.12', cpus: 2, node: '24.21.0' },
      revision: { commit: 'c'.repeat(40), dirty: false },
      unlocked: [],
      emulator: { arguments: ['-M', 'virt', '-cpu', 'cortex-a72'] },
      topology: {
        kind: 'bridged',
        gateway: '10.10.0.1',
        gateway6: 'fc00::1',
        bridge: 'goProxyBridge',
        instances: [
          {
            task: 'hello.test.web.test.instance.0',
            address: '10.10.0.2',
            address6: 'fc00::2',
            link: 'veth000',
            ports: ['80:80/tcp'],
          },
        ],
      },
      firstAnswer: {
        status: 200,
        headers: { 'content-type': 'text/plain' },
        body: 'Hello, wasi:http/proxy world!\n',
        bodyBytes: 30,
      },
      timings: [
        { name: 'boot', startMs: 600, ms: 5200 },
        { name: 'deploy', startMs: 5800, ms: 1900 },
        { name: 'http from the board', startMs: 7700, ms: 60 },
        { name: 'load', startMs: 7760, ms: 4800 },
      ],
      metrics: loads.flatMap(({ metrics }) => metrics),
      latencies: loads.map(({ latency }) => latency),
      throughput: loads.map(({ throughput }) => throughput),
      notes: [],
      logs: [{ name: 'console', file: 'console.log' }],
    },
  };
};

/** The same on two boards. */
export const twoBoards = (): Results => {
  const results = passedResults();
  const { topology, emulator, ...run } = results.run;
  const [deploy, http, load] = results.steps;
  if (!deploy || !http || !load || !topology || !emulator) throw new Error('the example has three steps and a network');
  const board = (n: number) => ({ name: `board-${n}`, address: `192.168.77.1${n}`, emulator });
  return {
    ...results,
    machine: { ...results.machine, boards: 2 },
    steps: [{ ...deploy, board: 'board-1' }, { ...http, place: 'instance', board: 'board-2' }, load],
    run: {
      ...run,
      boards: [
        { ...board(1), topology, condition: { clock: { before: '1500 MHz', after: '600 MHz' } } },
        { ...board(2), topology: { ...topology, gateway: '10.10.0.65', instances: [] } },
      ],
    },
  };
};

const unmet = {
  name: 'body',
  verdict: 'failed',
  expected: '"Hello, wasi:http/proxy world!\\n"',
  actual: '"<b>Bad | gateway</b> & \u001b[31mred\u0000"',
} as const;

/** The same run with a body that was not the expected one. */
export const failedResults = (): Results => {
  const results = passedResults();
  const [deploy, http, ...rest] = results.steps;
  if (!deploy || !http) throw new Error('the example has two steps at least');
  return {
    ...results,
    verdict: 'failed',
    steps: [deploy, { ...http, verdict: 'failed', expectations: [...http.expectations, unmet] }, ...rest],
    run: {
      ...results.run,
      failure: {
        step: http.name,
        message: 'the body is another one',
        log: { name: 'node-engine.log', lines: ['starting', 'a ``` fence and <script>alert(1)</script>'] },
        next: ['npm run lab -- shell', 'npm run lab -- logs'],
      },
    },
  };
};

/** A run that never came to its first step: the emulator ended. */
export const brokenResults = (): Results => {
  const results = passedResults();
  return {
    ...results,
    verdict: 'error',
    steps: [],
    run: {
      ...results.run,
      metrics: [],
      latencies: [],
      throughput: [],
      timings: [],
      failure: { step: 'boot', message: 'QEMU ended with code 1', next: ['npm run lab -- doctor'] },
    },
  };
};
