import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { buildDebianImage } from '../lab/image/debian/build.ts';
import { virt } from '../lab/machine/qemu/definitions.ts';
import { startEmulated } from '../lab/machine/qemu/qemu.ts';
import { Results } from '../lab/report/model/results.ts';
import { median } from '../lab/report/model/statistics.ts';
import { openRun, processesOf } from '../lab/system/runs.ts';
import { parse } from '../worker/contract/check.ts';
import { atMost, type Bench, type Figure } from './figure.ts';

const root = path.join(import.meta.dirname, '..');
const roundTrips = 100;
const loadSeconds = 10;

const seconds = (since: number): number => (performance.now() - since) / 1000;

/** One run of `scenario bridged` as a user starts it, with a cache of its own. */
const scenarioRun = async (cache: string, signal: AbortSignal) => {
  const began = performance.now();
  const { stdout } = await execa(
    'npm',
    ['run', '-s', 'lab', '--', 'scenario', 'bridged', '--json', '--duration', String(loadSeconds)],
    {
      cwd: root,
      env: { XDG_CACHE_HOME: cache },
      cancelSignal: signal,
    },
  );
  const { results } = JSON.parse(stdout) as { results: unknown };
  return { took: seconds(began), results: parse(Results, results, 'results') };
};

const stepSeconds = (results: Results, name: string): number =>
  (results.run.timings.find((timing) => timing.name === name)?.ms ?? Number.NaN) / 1000;

/** Most memory that the processes of a run had at once on this computer, each by itself, in MB (proc(5), VmHWM). */
const peakMegabytes = async (run: string): Promise<number> => {
  const peaks = (await processesOf(run)).map(async (pid) => {
    const status = await fs.readFile(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(?<kb>\d+)/m.exec(status)?.groups?.['kb'] ?? 0) / 1000;
  });
  return (await Promise.all(peaks)).reduce((sum, peak) => sum + peak, 0);
};

const boot = async (signal: AbortSignal): Promise<readonly Figure[]> => {
  const image = await buildDebianImage({ board: 'virt', signal });
  await using run = await openRun('bench');
  const began = performance.now();
  await using machine = await startEmulated({ definition: virt, image, run, signal });
  const ready = seconds(began);
  const times: number[] = [];
  for (let i = 0; i < roundTrips; i++) {
    const sent = performance.now();
    await machine.exec(['true'], { signal });
    times.push(performance.now() - sent);
  }
  return [
    atMost('boot to ready', ready, 's', 6),
    atMost('command round trip, median', median(times) ?? Number.NaN, 'ms', 60),
    { what: 'peak memory of the emulator, booted and idle', value: await peakMegabytes(run.id), unit: 'MB' },
    atMost('image size', image.bytes / 1e6, 'MB', 100),
  ];
};

const bench: Bench = {
  name: 'lab',
  about: 'a cold and a warm run of bridged on virt, boot, commands, image',
  run: async (say, signal) => {
    await using stack = new AsyncDisposableStack();
    const cache = await fs.mkdtemp(path.join(os.tmpdir(), 'lab-bench-'));
    stack.defer(() => fs.rm(cache, { recursive: true, force: true }));
    say('a run with an empty cache');
    const cold = await scenarioRun(cache, signal);
    say('a run with a warm cache');
    const warm = await scenarioRun(cache, signal);
    say('boot and commands');
    const booted = await boot(signal);
    return [
      atMost('cold run, npm packages installed', cold.took, 's', 180),
      atMost(
        'image from an empty cache (packages fetched and built)',
        stepSeconds(cold.results, 'prepare the machine'),
        's',
        60,
      ),
      atMost(`warm run with ${loadSeconds} s of load`, warm.took, 's', 35),
      atMost(
        'deploy message to CREATED (one HTTP answer), precompiled',
        stepSeconds(warm.results, 'deploy through the worker'),
        's',
        2,
      ),
      ...booted,
    ];
  },
};

export default bench;
