import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import Type from 'typebox';
import { parseJson } from '../../worker/contract/check.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

const Rules = Type.Object({
  plugins: Type.Array(Type.String()),
  overrides: Type.Array(
    Type.Object({
      includes: Type.Array(Type.String()),
      linter: Type.Object({
        rules: Type.Object({
          style: Type.Object({
            noRestrictedImports: Type.Object({
              options: Type.Object({
                patterns: Type.Array(Type.Object({ group: Type.Array(Type.String()), message: Type.String() })),
              }),
            }),
          }),
        }),
      }),
    }),
  ),
});

const { overrides, plugins } = parseJson(Rules, await readFile(join(root, 'biome.json'), 'utf8'), 'biome.json');

/** Every import that a rule forbids: the room that it is forbidden to, the pattern, and what biome says. */
const forbidden = overrides.flatMap(({ includes, linter }) =>
  includes.flatMap((room) =>
    linter.rules.style.noRestrictedImports.options.patterns.flatMap(({ group, message }) =>
      group.map((pattern) => ({ room, pattern, message })),
    ),
  ),
);

/** The path that a pattern or a room stands for, without its wildcards. */
const plain = (glob: string): string => glob.replace(/^(?:\*\*|\.)\//, '').replace(/\/\*\*$/, '');

/** What biome says of a folder, one line for each finding. */
const lint = async (folder: string): Promise<readonly string[]> => {
  const options = { cwd: folder, maxBuffer: 64 * 1024 * 1024 };
  const arguments_ = ['lint', '--reporter=github', '--max-diagnostics=none', '.'];
  const { stdout } = await promisify(execFile)(join(root, 'node_modules/.bin/biome'), arguments_, options).catch(
    (error: { readonly stdout: string }) => error,
  );
  return stdout.split('\n');
};

/** A folder with the rules of this repository, and no sources. */
const ruledFolder = async (t: Test): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'rooms-test-'));
  t.teardown(() => rm(folder, { recursive: true }));
  for (const file of ['biome.json', ...plugins]) {
    await mkdir(join(folder, dirname(file)), { recursive: true });
    await copyFile(join(root, file), join(folder, file));
  }
  return folder;
};

t.test('every room and file that an import rule names exists', async (t) => {
  t.ok(forbidden.length > 50, `${forbidden.length} rules`);
  for (const { room, pattern } of forbidden) {
    t.ok(existsSync(join(root, plain(room))), `the room ${room}`);
    const parents = ['.', 'lab', 'worker', dirname(plain(room))];
    const places = parents.map((folder) => join(root, folder, plain(pattern)));
    t.ok(places.some(existsSync), `${room}: the forbidden ${pattern}`);
  }
});

t.test('each rule sees the import that it forbids', async (t) => {
  const folder = await ruledFolder(t);
  const planted = await Promise.all(
    forbidden.map(async ({ room, pattern, message }, index) => {
      const file = room.endsWith('/**') ? join(plain(room), `planted${index}.ts`) : room;
      const target = pattern.startsWith('./') ? `./${plain(pattern)}` : `../../${plain(pattern)}`;
      await mkdir(join(folder, dirname(file)), { recursive: true });
      const text = `import '${target.endsWith('.ts') ? target : `${target}/x.ts`}';\n`;
      await writeFile(join(folder, file), text, { flag: 'a' });
      return { file, message, pattern };
    }),
  );
  const lines = await lint(folder);
  for (const { file, message, pattern } of planted)
    t.ok(
      lines.some((line) => line.includes(file) && line.includes(message)),
      `${file}: ${pattern}`,
    );
});

t.test('a circle of imports is seen, of types too', async (t) => {
  const folder = await ruledFolder(t);
  await mkdir(join(folder, 'worker/system'), { recursive: true });
  const circle = { 'one.ts': "import type { Two } from './two.ts';\n\nexport type One = Two | 1;\n" };
  const files = { ...circle, 'two.ts': "import type { One } from './one.ts';\n\nexport type Two = One[];\n" };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, 'worker/system', name), text);
  const lines = await lint(folder);
  for (const name of Object.keys(files))
    t.ok(
      lines.some((line) => line.includes(name) && line.includes('noImportCycles')),
      name,
    );
});
