import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { median, medianInterval } from '../lab/report/model/statistics.ts';
import { Deployed } from '../lab/standing/protocol.ts';
import { parseJson } from '../worker/contract/check.ts';
import { atMost, type Bench, type Figure } from './figure.ts';

const root = path.join(import.meta.dirname, '..');
const components = ['hello-wasi-http', 'greeter-wasi-http'].map((name) =>
  path.join(root, 'fixtures', name, `${name}.wasm`),
);
const machines = [
  { machine: 'local', limit: 500 },
  { machine: 'virt', limit: 3000 },
] as const;
const deployments = 10;

const lab = async (words: readonly string[], signal: AbortSignal): Promise<string> =>
  (await execa('npm', ['run', '-s', 'lab', '--', ...words], { cwd: root, cancelSignal: signal, stderr: 'ignore' }))
    .stdout;

const figure = (what: string, samples: readonly number[], limit?: number): Figure => {
  const interval = medianInterval(samples);
  const value = median(samples) ?? Number.NaN;
  return {
    ...(limit === undefined ? { what, value, unit: 'ms' } : atMost(what, value, 'ms', limit)),
    ...(interval ? { interval } : {}),
  };
};

/** A lab of its own that is deployed into: for the first time, each time another component, and the whole command. */
const measure = async (machine: string, limit: number, folder: string, signal: AbortSignal) => {
  const name = `bench-${process.pid}`;
  await lab(['up', '--machine', machine, '--lab', name], signal);
  try {
    const [steps, replaced, whole]: [number[], number[], number[]] = [[], [], []];
    for (let n = 0; n < 2 * deployments; n++) {
      // one that was never seen before is compiled; every second one takes the place of the one before
      const file = path.join(folder, 'service.wasm');
      await fs.copyFile(components[n % components.length] ?? '', file);
      const service = `s${Math.floor(n / 2)}`;
      const began = performance.now();
      const printed = await lab(['deploy', file, '--lab', name, '--name', service, '--json'], signal);
      whole.push(performance.now() - began);
      const deployed = parseJson(Deployed, printed, 'what deploy printed');
      (deployed.replaced ? replaced : steps).push(deployed.tookMs);
      if (deployed.replaced) await lab(['undeploy', service, '--lab', name], signal);
    }
    return [
      figure(`deploy on ${machine}`, steps, limit),
      figure(`deploy in the place of another one on ${machine}`, replaced),
      figure(`the whole command on ${machine}, until the first response`, whole),
    ];
  } finally {
    await lab(['down', '--lab', name], new AbortController().signal);
  }
};

const bench: Bench = {
  name: 'standing',
  about: 'how long it takes to deploy into a standing lab',
  run: async (say, signal) => {
    await using stack = new AsyncDisposableStack();
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'lab-bench-'));
    stack.defer(() => fs.rm(folder, { recursive: true, force: true }));
    const figures: Figure[] = [];
    for (const { machine, limit } of machines) {
      say(machine);
      figures.push(...(await measure(machine, limit, folder, signal)));
    }
    return figures;
  },
};

export default bench;
