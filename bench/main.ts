// npm run bench [-- NAME...]: measures, and says how far the targets are met. Nothing here is a test.
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type Bench, type Figure, table } from './figure.ts';

const reports = path.join(import.meta.dirname, '../reports');
const benches = (await fs.readdir(import.meta.dirname))
  .filter((name) => name.endsWith('.bench.ts'))
  .map((name) => path.basename(name, '.bench.ts'))
  .toSorted();

const wanted = process.argv.slice(2);
if (wanted.includes('--help') || wanted.includes('-h')) {
  process.stdout.write(
    `npm run bench [-- NAME...]\n\nMeasures all of these, or the named ones: ${benches.join(', ')}\n`,
  );
  process.exit();
}
const unknown = wanted.filter((name) => !benches.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`no bench ${unknown.join(', ')}; there are ${benches.join(', ')}\n`);
  process.exit(64);
}

const interruption = new AbortController();
process.once('SIGINT', () => interruption.abort(new Error('interrupted')));

const results: Record<string, readonly Figure[]> = {};
for (const name of wanted.length > 0 ? wanted : benches) {
  const { default: bench } = (await import(`./${name}.bench.ts`)) as { default: Bench };
  process.stderr.write(`${bench.name}: ${bench.about}\n`);
  const figures = await bench.run((text) => process.stderr.write(`… ${text}\n`), interruption.signal);
  results[name] = figures;
  process.stdout.write(`\n### ${bench.name}\n\n${table(figures)}\n`);
}
const host = { cpus: os.availableParallelism(), kernel: os.release(), load: os.loadavg() };
await fs.mkdir(reports, { recursive: true });
const file = path.join(reports, `bench-${new Date().toISOString().replace(/[-:]/g, '').slice(0, 15)}.json`);
await fs.writeFile(file, `${JSON.stringify({ host, results }, undefined, 2)}\n`);
process.stderr.write(`\n${path.relative('', file)}\n`);
