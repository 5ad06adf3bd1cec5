import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { foldersInCircles } from './imports.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const listed = await promisify(execFile)('git', ['ls-files'], { cwd: root, maxBuffer: 64 * 1024 * 1024 });
const files = listed.stdout.split('\n').filter((file) => file !== '' && existsSync(join(root, file)));
const sources = new Map(
  await Promise.all(
    files
      .filter((file) => /\.(?:ts|mjs|cjs|js)$/.test(file))
      .map(async (file) => [file, await readFile(join(root, file), 'utf8')] as const),
  ),
);

t.test('a folder has at most 15 files', async (t) => {
  const count = new Map<string, number>();
  for (const file of files) count.set(dirname(file), (count.get(dirname(file)) ?? 0) + 1);
  // what tools look for in the root is not for us to place
  count.delete('.');
  for (const [folder, number] of count) t.ok(number <= 15, `${folder}: ${number}`);
});

t.test('a source file has at most 250 lines', async (t) => {
  t.ok(sources.size > 500, `${sources.size} files`);
  for (const [file, text] of sources) {
    const lines = text.split('\n').length - 1;
    t.ok(lines <= 250, `${file}: ${lines}`);
  }
});

t.test('no folder imports itself by way of one beside it', async (t) => {
  t.strictSame(foldersInCircles(sources), []);
});

t.test('a circle of folders is seen', async (t) => {
  const planted = (...imports: readonly (readonly [file: string, target: string])[]) =>
    foldersInCircles(new Map(imports.map(([file, target]) => [file, `import type { A } from '${target}';\n`])));
  t.strictSame(planted(['a/b/x.ts', '../c/y.ts'], ['a/c/y.ts', '../b/z.ts']), ['a/b', 'a/c'], 'of two');
  t.strictSame(
    planted(['a/b/x.ts', '../c/y.ts'], ['a/c/deep/y.ts', '../../d/z.ts'], ['a/d/z.ts', '../b/x.ts']),
    ['a/b', 'a/c', 'a/d'],
    'of three, one by a folder in it',
  );
  t.strictSame(planted(['a/b/x.ts', '../c/y.ts'], ['a/c/y.ts', '../shared.ts']), [], 'arrows that point one way');
  t.strictSame(planted(['a/list.ts', './b/x.ts'], ['a/b/x.ts', '../kind.ts']), [], 'a folder and what it shares');
});
