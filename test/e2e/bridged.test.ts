import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { compareReproduction } from '../../lab/report/compare/reproduction.ts';
import { readResults } from '../../lab/report/read.ts';
import { fileDigest, sha256 } from '../../lab/system/files/digest.ts';
import { labWorld } from '../support/lab.ts';
import { eventsOf, printedResults } from '../support/report.ts';

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/${name}/${name}.wasm`, import.meta.url));
// what KVM runs is not emulated, and not saved
const short = ['--duration', '2', '--json', '--accel', 'tcg'];

/** The files that the emulator was told to use, by option. */
const bootedFiles = (args: readonly string[]) => ({
  kernel: args[args.indexOf('-kernel') + 1] ?? '',
  initramfs: args[args.indexOf('-initrd') + 1] ?? '',
  layers: args.flatMap((arg) => /^if=none,id=layer\d,.*file=(?<file>.*)$/.exec(arg)?.groups?.['file'] ?? []),
});

t.test('bridged runs from nothing to a report, beside another run that deploys another component', async (t) => {
  await using world = await labWorld();
  const scenario = ['scenario', 'bridged', '--reports', world.reports, ...short];
  const [own, other] = await Promise.all([
    world.run(scenario),
    world.run([...scenario, '--app', fixture('greeter-wasi-http'), '--expect-body', 'Another component.\n']),
  ]);

  await t.test('both pass, and both leave nothing but their reports', async (t) => {
    t.equal(own.code, 0, { stderr: own.stderr });
    t.equal(other.code, 0, { stderr: other.stderr });
    t.strictSame(await world.processes(), []);
    t.strictSame(await world.leftovers(), []);
    const names = (await fs.readdir(world.reports)).filter((name) => name !== 'latest');
    t.equal(names.length, 2);
  });
  const { folder, results } = printedResults(own.stdout);

  await t.test('the report says what was seen, and every file of it is whole', async (t) => {
    t.strictSame(await readResults(folder), results, 'results.json is what was printed');
    t.equal(results.verdict, 'passed');
    t.match(results.machine, { name: 'virt', architecture: 'aarch64', accelerator: 'tcg', fidelity: 'emulated' });
    t.ok(results.steps.length >= 10);
    t.ok(
      results.steps.every(
        ({ verdict, expectations }) => verdict === 'passed' && expectations.every((e) => e.verdict === 'passed'),
      ),
    );
    t.match(results.run.firstAnswer, { status: 200, body: 'Hello, wasi:http/proxy world!\n', bodyBytes: 30 });
    t.match(results.run.topology, { gateway: '10.10.0.1', instances: [{ address: '10.10.0.2', ports: ['8080:80'] }] });
    t.ok((results.run.latencies[0]?.count ?? 0) > 0, 'there is a latency histogram');
    t.strictSame(
      results.run.metrics.filter(({ kind }) => kind === 'performance'),
      [],
      'an emulator has no performance',
    );
    const junit = await fs.readFile(path.join(folder, 'junit.xml'), 'utf8');
    t.equal([...junit.matchAll(/<testcase /g)].length, results.steps.length);
    t.notMatch(junit, /<(failure|error|skipped)/);
    t.match(await fs.readFile(path.join(folder, 'summary.md'), 'utf8'), /bridged[\s\S]*passed/i);
    t.match(await fs.readFile(path.join(folder, 'latency-mapped.hgrm'), 'utf8'), /Percentile/);
    t.match(await fs.readFile(path.join(folder, 'report.html'), 'utf8'), /^<!doctype html>[\s\S]*<\/html>\s*$/i);
    for (const { file } of results.run.logs) t.type((await fs.stat(path.join(folder, file))).size, 'number');
    t.strictSame(
      results.run.logs
        .map(({ name }) => name)
        .filter((name) => !name.startsWith('apps-'))
        .toSorted(),
      ['NetManager', 'NodeEngine', 'console', 'transcript'],
    );
  });

  await t.test('its events tell the run in order', async (t) => {
    const events = await eventsOf(folder);
    t.equal(events[0]?.kind, 'run-started');
    t.equal(events.at(-1)?.kind, 'run-ended');
    t.strictSame(
      events.map(({ ms }) => ms),
      events.map(({ ms }) => ms).toSorted((a, b) => a - b),
    );
    const count = (wanted: string) => events.filter(({ kind }) => kind === wanted).length;
    t.equal(count('step-started'), results.steps.length);
    t.equal(count('step-ended'), results.steps.length);
    t.ok(count('cluster-message') > 0);
    t.equal(count('violation'), 0);
  });

  await t.test('its provenance names the files that were used by their digests', async (t) => {
    const digest = (name: string) => results.inputs.find((input) => input.name === name)?.sha256;
    const { kernel, initramfs, layers } = bootedFiles(results.run.emulator?.arguments ?? []);
    const files = await Promise.all([kernel, initramfs, ...layers].map((file) => fileDigest(file)));
    t.equal(digest('component'), await fileDigest(fixture('hello-wasi-http')));
    t.equal(digest('kernel'), files[0]);
    t.strictSame(
      ['system', 'kernel', 'wasmtime', 'worker'].map((name) => digest(`layer ${name}`)),
      files.slice(2),
    );
    t.equal(digest('image'), sha256(files.join('\n')));
    for (const name of ['qemu', 'node (board)', 'wasmtime (board)']) t.match(digest(name), /^[0-9a-f]{64}$/);
  });

  await t.test("the other component's own answer was served", async (t) => {
    const { results: others } = printedResults(other.stdout);
    t.match(others.run.firstAnswer, { status: 200, headers: { 'x-fixture': 'greeter' }, body: 'Another component.\n' });
    t.match(
      others.inputs.find(({ name }) => name === 'component'),
      {
        version: 'greeter-wasi-http.wasm',
        sha256: await fileDigest(fixture('greeter-wasi-http')),
      },
    );
    t.not(others.run.id, results.run.id);
  });

  await t.test('the next run restores the board from what these saved, and finds the same', async (t) => {
    t.equal(results.run.emulator?.start, 'booted');
    t.match(own.stderr, /boot the board .* s, booted/);
    const next = await world.run(scenario);
    t.equal(next.code, 0, { stderr: next.stderr });
    t.match(next.stderr, /boot the board .* s, restored/);
    const { results: restored } = printedResults(next.stdout);
    t.equal(restored.run.emulator?.start, 'restored');
    t.strictSame(compareReproduction(results, restored), { inputs: [], outcome: [] });
    t.strictSame(await world.processes(), []);
    t.strictSame(await world.leftovers(), []);
  });
});
