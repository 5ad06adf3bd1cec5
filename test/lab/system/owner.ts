// What runs.test.ts starts and kills: a process that opens a run with a long-living child, and waits. With `reap` it
// prints the ids of the runs that it reaps instead; `die` on its standard input kills it.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { openRun, reapRuns } from '../../../lab/system/runs.ts';

if (process.argv[2] === 'reap') {
  process.stdout.write(JSON.stringify((await reapRuns()).map(({ id }) => id)));
  process.exit(0);
}
const run = await openRun('a test');
const child = spawn('sleep', ['1000'], {
  env: { ...process.env, ...run.env },
  detached: true,
  stdio: ['ignore', 'ignore', 'ignore', run.lock],
});
if (process.argv[2] === 'keep') await run.keep();
process.stdout.write(`${JSON.stringify({ id: run.id, folder: run.folder, child: child.pid })}\n`);
createInterface({ input: process.stdin })
  .on('line', () => process.kill(process.pid, 'SIGKILL'))
  .on('close', async () => {
    await run[Symbol.asyncDispose]();
    process.exit(0);
  });
