import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { facts } from '../conformance/world/facts.ts';
import { brokenLinks, citationsIn, commandsIn, headingsOf, pathsIn, rowsBelow } from './markdown.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (file: string): Promise<string> => readFile(join(root, file), 'utf8');
const tracked = (await promisify(execFile)('git', ['ls-files'], { cwd: root, maxBuffer: 64 * 1024 * 1024 })).stdout
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)));
const pages = tracked.filter((file) => file.endsWith('.md'));

t.test('every relative link leads to a file, and to a heading in it', async (t) => {
  for (const page of pages)
    t.strictSame(
      await brokenLinks(await read(page), async (target) => {
        const file = target === '' ? page : join(dirname(page), target);
        if (!existsSync(join(root, file))) return undefined;
        return file.endsWith('.md') ? headingsOf(await read(file)) : [];
      }),
      [],
      page,
    );
});

t.test('every path of this repository that a page names exists', async (t) => {
  for (const page of pages)
    for (const path of pathsIn(await read(page)))
      t.ok(
        [path, join(dirname(page), path)].some((file) => existsSync(join(root, file))),
        `${page}: ${path}`,
      );
});

t.test('every command that a page names exists', async (t) => {
  const { scripts } = JSON.parse(await read('package.json')) as { readonly scripts: Readonly<Record<string, string>> };
  const sources = await Promise.all(tracked.filter((file) => /^lab\/commands\/.*\.ts$/.test(file)).map(read));
  const subcommands = new Set(
    sources.flatMap((text) => [...text.matchAll(/\.command\('([a-z]+)/g)].map((found) => found[1])),
  );
  t.ok(subcommands.has('scenario'), 'the commands are found at all');
  for (const page of pages)
    for (const { script, command } of commandsIn(await read(page))) {
      t.ok(script in scripts, `${page}: npm run ${script}`);
      if (script === 'lab' && command !== undefined) t.ok(subcommands.has(command), `${page}: lab ${command}`);
    }
});

t.test('every citation of the contract resolves, and its sentences are the conformance facts', async (t) => {
  const contract = await read('docs/contract.md');
  const sections = new Set([...contract.matchAll(/^## (\d+)\. /gm)].map((found) => found[1] ?? ''));
  const sentences = [...contract.matchAll(/^- \*\*([\d.]+[a-z]?)\*\* /gm)].map((found) => found[1] ?? '');
  const known = new Set<string>([...sections, ...sentences]);
  for (const file of tracked.filter((name) => /\.(?:ts|mjs|md)$/.test(name) && !name.startsWith('test/docs/')))
    for (const cited of citationsIn(await read(file))) t.ok(known.has(cited), `${file}: contract ${cited}`);
  t.strictSame(sentences, Object.keys(facts), 'the numbered sentences');
});

t.test('the glossary has at most 40 entries', async (t) => {
  const entries = rowsBelow(await read('docs/architecture.md'), 'Glossary');
  t.ok(entries.length > 10 && entries.length <= 40, `${entries.length} entries`);
});

t.test('every promise of the security page names a test that exists', async (t) => {
  const page = await read('docs/security.md');
  const rows = page
    .split('\n')
    .filter((line) => /^\| (?:component|cluster|cluster, registry|registry|local user|neighbour) \|/.test(line));
  t.ok(rows.length > 15, `${rows.length} promises`);
  const sources = await Promise.all(tracked.filter((file) => /^(?:test|bench)\/.*\.ts$/.test(file)).map(read));
  for (const row of rows) {
    const tests = [...(row.split('|')[3] ?? '').matchAll(/"([^"]+)"/g)].map((found) => found[1] ?? '');
    t.ok(tests.length > 0, `a test for: ${row}`);
    for (const name of tests)
      t.ok(
        sources.some((source) => source.includes(name)),
        `a test named: ${name}`,
      );
  }
});

t.test('a broken link, path, command and citation are found', async (t) => {
  const text = 'See [x](nowhere.md#y), `lab/nowhere/file.ts`, `npm run lab -- fly` (contract, section 77).';
  t.strictSame(await brokenLinks(text, async () => undefined), ['nowhere.md#y']);
  t.strictSame(await brokenLinks('[x](#a-b)', async () => ['a']), ['#a-b']);
  t.strictSame(pathsIn(text), ['lab/nowhere/file.ts']);
  t.strictSame(commandsIn(text), [{ script: 'lab', command: 'fly' }]);
  t.strictSame(citationsIn(text), ['77']);
  t.strictSame(citationsIn('(contract 5.3), contract, sections 2 and 5'), ['5.3', '2', '5']);
});
