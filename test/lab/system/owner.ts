// What runs.test.ts starts and kills: a process that opens a run with a long-living child, and waits.
import { spawn } from 'node:child_process';
import { openRun } from '../../../lab/system/runs.ts';

const run = await openRun('a test');
const child = spawn('sleep', ['1000'], { env: { ...process.env, ...run.env }, detached: true, stdio: 'ignore' });
if (process.argv[2] === 'keep') await run.keep();
process.stdout.write(`${JSON.stringify({ id: run.id, folder: run.folder, child: child.pid })}\n`);
process.stdin.resume().once('end', async () => {
  await run[Symbol.asyncDispose]();
  process.exit(0);
});
