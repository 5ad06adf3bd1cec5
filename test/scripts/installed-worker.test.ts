import { existsSync } from 'node:fs';
import t from 'tap';
import { installedWorker } from '../../scripts/installed-worker.ts';

t.test('the contract is tested with the bundles that an image starts', async (t) => {
  const { netManager, nodeEngine } = await installedWorker(t.testdir());
  for (const words of [netManager, nodeEngine]) {
    t.equal(words[0], process.execPath);
    t.ok(existsSync(words.at(-1) ?? ''), words.join(' '));
  }
  t.match(nodeEngine.at(-1), /node-engine\.cjs$/);
});
