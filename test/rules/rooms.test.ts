import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
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

t.test('every room and file that an import rule names exists', async (t) => {
  t.ok(forbidden.length > 50, `${forbidden.length} rules`);
  for (const { room, pattern } of forbidden) {
    t.ok(existsSync(join(root, plain(room))), `the room ${room}`);
    const places = ['.', 'lab', 'worker'].map((folder) => join(root, folder, plain(pattern)));
    t.ok(places.some(existsSync), `${room}: the forbidden ${pattern}`);
  }
});

t.test('each rule sees the import that it forbids', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'rooms-test-'));
  t.teardown(() => rm(folder, { recursive: true }));
  for (const file of ['biome.json', ...plugins]) {
    await mkdir(join(folder, dirname(file)), { recursive: true });
    await copyFile(join(root, file), join(folder, file));
  }
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
  const options = { cwd: folder, maxBuffer: 64 * 1024 * 1024 };
  const arguments_ = ['lint', '--reporter=github', '--max-diagnostics=none', '.'];
  const { stdout } = await promisify(execFile)(join(root, 'node_modules/.bin/biome'), arguments_, options).catch(
    (error: { readonly stdout: string }) => error,
  );
  const lines = stdout.split('\n');
  for (const { file, message, pattern } of planted)
    t.ok(
      lines.some((line) => line.includes(file) && line.includes(message)),
      `${file}: ${pattern}`,
    );
});
