import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { deploymentOrdered } from '../../../../worker/node-engine/instances/entry.ts';
import { Journal } from '../../../../worker/node-engine/instances/journal.ts';

const task = (service: string): string => `app.appns.${service}.svcns.instance.0`;
const job = { job_name: 'app.appns.svc.svcns', instance_number: 0, image: 'http://h/a.wasm', virtualization: 'wasm' };

const listener = () => {
  const lines: string[] = [];
  const line = (text: string) => void lines.push(text);
  return { lines, log: { debug: line, info: line, warn: line, error: line } };
};

t.test('what an engine that was killed has left of its journal is removed, and nothing else', async (t) => {
  const folder = t.testdir({ instances: {}, reports: {}, spare: {} });
  const at = (...names: string[]) => join(folder, ...names);
  const { lines, log } = listener();
  const open = () => new Journal(at('instances'), at('spare'), log);
  await open().begin(task('svc'), job);
  const kept = await readFile(at('instances', `${task('svc')}.json`), 'utf8');
  await writeFile(at('instances', `${task('svc')}.exit`), '0\n');
  for (const left of ['instances/half.json.new', 'reports/half.json.new', `instances/${task('gone')}.exit`])
    await writeFile(at(left), 'half');
  t.same([...(await open().read()).keys()], [task('svc')]);
  t.same((await readdir(at('instances'))).toSorted(), [`${task('svc')}.exit`, `${task('svc')}.json`]);
  t.same(await readdir(at('reports')), []);
  t.equal(await readFile(at('instances', `${task('svc')}.json`), 'utf8'), kept);
  t.same(lines, []);
});

t.test('an engine that can write nowhere goes on, says it once, and takes no orders', async (t) => {
  const folder = t.testdir({ file: '' });
  const { lines, log } = listener();
  const journal = new Journal(join(folder, 'file', 'instances'), join(folder, 'file', 'spare'), log);
  for (const service of ['a', 'b', 'c']) {
    await t.rejects(
      journal.begin(task(service), job),
      /no new instance is started while the state folder .* cannot be/,
    );
    await journal.update(task(service), deploymentOrdered(job));
    t.match(journal.entry(task(service)), { job });
  }
  t.match(lines, [/ENOTDIR.*new ones are refused until/, /remembered in memory only/]);
  t.equal(lines.length, 2);
});
