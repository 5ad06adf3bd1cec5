import fs from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import t from 'tap';
import type { LoadPlan } from '../../../lab/load/load-plan.ts';
import { loadProgram, runRemoteLoad } from '../../../lab/load/remote.ts';
import { listen } from './server.ts';

const plan: LoadPlan = {
  url: 'http://127.0.0.1:1/',
  connections: 4,
  durationMs: 1000,
  warmUpMs: 0,
  timeoutMs: 10_000,
  expect: { status: 200 },
  keepAlive: true,
  signal: AbortSignal.timeout(600_000),
};

t.test('a load generator that ends badly is no fault of the service', async (t) => {
  const ended = (code: number, stdout: string, stderr: string) =>
    runRemoteLoad(plan, async () => ({ code, stdout, stderr }));
  await t.rejects(ended(137, '', 'Killed\n'), { fault: 'lab', message: 'the load generator ended with 137: Killed' });
  await t.rejects(ended(0, '{"sent":', ''), { fault: 'lab', message: 'the load generator printed no result' });
  await t.rejects(ended(0, '{}', ''), { fault: 'lab', message: 'the load generator printed no result' });
});

t.test('an expected body goes there as bytes', async (t) => {
  const body = Buffer.from([0, 0xff, 0xfe, 0x0a]);
  await using server = await listen((request, response) => {
    response.end(request.url === '/' ? body : Buffer.from([0, 0xfd, 0xfe, 0x0a]));
  });
  const program = path.join(t.testdir(), 'load.mjs');
  await fs.writeFile(program, await loadProgram());
  const remote = (url: string) =>
    runRemoteLoad({ ...plan, url, expect: { status: 200, body } }, async (stdin) => {
      const { exitCode, stdout, stderr } = await execa(process.execPath, [program], { input: stdin, reject: false });
      return { code: exitCode ?? 255, stdout, stderr };
    });
  const right = await remote(server.url);
  t.ok(right.responses > 0);
  t.match(right, { wrongBody: 0, bodies: { least: 4, most: 4 } });
  const wrong = await remote(`${server.url}other`);
  t.equal(wrong.wrongBody, wrong.responses);
});

t.test('what ends the load is thrown as it is', async (t) => {
  const gone = new Error('the board is gone');
  await t.rejects(
    runRemoteLoad(plan, () => Promise.reject(gone)),
    gone,
  );
});
