// What cache.test.ts starts several times: wants a file from the cache, and says whether it makes it itself.
import fs from 'node:fs/promises';
import { cached } from '../../../lab/system/files/cache.ts';
import { until } from '../../../lab/system/wait.ts';

const [file = '', go = ''] = process.argv.slice(2);
await cached(file, async (temporary) => {
  process.stdout.write('making\n');
  await fs.writeFile(temporary, 'half');
  const isThere = () =>
    fs.stat(go).then(
      () => true,
      () => undefined,
    );
  await until(isThere, AbortSignal.timeout(60_000));
  await fs.writeFile(temporary, `the work of ${process.pid}`);
});
process.stdout.write(`has ${await fs.readFile(file, 'utf8')}\n`);
