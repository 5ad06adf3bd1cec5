import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { changesOf } from '../../../lab/commands/standing/changes.ts';

t.test('a file is taken anew when it has changed, however that was done', async (t) => {
  const folder = path.join(t.testdir({}), 'target');
  const file = path.join(folder, 'x.wasm');
  await fs.mkdir(folder);
  await fs.writeFile(file, 'one');
  const ending = new AbortController();
  const changes = changesOf(file, ending.signal);
  const seen = async () => {
    await changes.next();
    return await fs.readFile(file, 'utf8');
  };
  t.equal(await seen(), 'one', 'it begins with what there is');
  const second = seen();
  await fs.writeFile(`${file}.partial`, 'two');
  await fs.rename(`${file}.partial`, file);
  t.equal(await second, 'two');
  const third = seen();
  await fs.rm(folder, { recursive: true });
  await fs.mkdir(folder);
  await fs.writeFile(file, 'three');
  t.equal(await third, 'three', 'also when its folder was removed meanwhile');
  const none = changes.next();
  ending.abort(new Error('interrupted'));
  await t.rejects(none);
});
