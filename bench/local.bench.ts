import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { type Metric, Results } from '../lab/report/model/results.ts';
import { median, medianInterval } from '../lab/report/model/statistics.ts';
import { parse } from '../worker/contract/check.ts';
import { atMost, type Bench, type Figure } from './figure.ts';
import { recordingCost } from './recording.ts';

const root = path.join(import.meta.dirname, '..');
const warmRuns = 5;
const loadSeconds = 5;
const densityRuns = 5;
const recordingPairs = 15;
const recordingMs = 1500;

/** One run of a scenario on this computer's own kernel, as a user starts it. */
const run = async (reports: string, name: string, options: readonly string[], signal: AbortSignal) => {
  const began = performance.now();
  const { stdout } = await execa(
    'npm',
    ['run', '-s', 'lab', '--', 'scenario', name, '--machine', 'local', '--json', '--reports', reports, ...options],
    { cwd: root, cancelSignal: signal, stderr: 'ignore' },
  );
  const { results } = JSON.parse(stdout) as { results: unknown };
  return { seconds: (performance.now() - began) / 1000, results: parse(Results, results, 'results') };
};

/** A figure with an upper limit, judged by the median of its samples. */
/** The median of some samples; without a `limit` it is shown and has no target. */
const ofSamples = (what: string, samples: readonly number[], unit: string, limit?: number): Figure => {
  const interval = medianInterval(samples);
  const value = median(samples) ?? Number.NaN;
  const figure = limit === undefined ? { what, value, unit } : atMost(what, value, unit, limit);
  return { ...figure, ...(interval ? { interval } : {}) };
};

const samplesOf = ({ run: { metrics } }: Results, name: string, dimensions: Metric['dimensions']): readonly number[] =>
  metrics.find(
    (metric) =>
      metric.name === name && Object.entries(dimensions).every(([key, value]) => metric.dimensions[key] === value),
  )?.samples ?? [];

const costLimits = {
  'veth, wasm': 1.15,
  'bridged, wasm': 1.15,
  'veth, mapped port, wasm': 1.25,
  'bridged, mapped port, wasm': 1.25,
};

const bench: Bench = {
  name: 'local',
  about: "a warm run, what networks and neighbours cost, and what recording costs, on this computer's own kernel",
  run: async (say, signal) => {
    await using stack = new AsyncDisposableStack();
    const reports = await fs.mkdtemp(path.join(os.tmpdir(), 'lab-bench-'));
    stack.defer(() => fs.rm(reports, { recursive: true, force: true }));
    const took: number[] = [];
    for (let i = 0; i < warmRuns; i++) {
      say(`warm run ${i + 1} of ${warmRuns}`);
      took.push((await run(reports, 'bridged', ['--duration', String(loadSeconds)], signal)).seconds);
    }
    say('compare');
    const { results: compared } = await run(reports, 'compare', [], signal);
    say(`density, ${densityRuns} times`);
    const { results: dense } = await run(reports, 'density', ['--replicates', String(densityRuns)], signal);
    say('recording');
    const recording = await recordingCost(recordingPairs, recordingMs, signal);
    return [
      ofSamples(`warm run of bridged with ${loadSeconds} s of load`, took, 's', 9),
      ofSamples(
        'the same beside its load',
        took.map((seconds) => seconds - loadSeconds),
        's',
        4,
      ),
      ...Object.entries(costLimits).map(([load, limit]) =>
        ofSamples(
          `CPU a request against loopback: ${load}`,
          samplesOf(compared, 'load.cpu.ratio', { load }),
          'x',
          limit,
        ),
      ),
      ...['wasm', 'wasm reused'].map((kind) =>
        ofSamples(
          `CPU a request on loopback against native Node: ${kind}`,
          samplesOf(compared, `CPU of ${kind} against native`, { way: 'loopback' }),
          'x',
        ),
      ),
      ofSamples(
        'p99 of one instance with 60 neighbours against alone',
        samplesOf(dense, 'p99 against that of one alone', { instances: '61' }),
        'x',
        1.5,
      ),
      ofSamples("generator's CPU a request, recorded against unrecorded", recording, 'x', 1.03),
    ];
  },
};

export default bench;
