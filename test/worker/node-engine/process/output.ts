// A program whose output is kept by the engine: node output.ts LOG COMMAND [kill]. It ends when all is written, or is
// killed as soon as the program runs.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openOutput } from '../../../../worker/node-engine/process/output.ts';

const [log = '', command = '', kill] = process.argv.slice(2);
const run = async (): Promise<void> => {
  const output = await openOutput(log, log);
  const child = spawn('sh', ['-c', command], { stdio: ['ignore', output.input, output.input], detached: true });
  await once(child, 'spawn');
  await output[Symbol.asyncDispose]();
  if (kill !== undefined) process.kill(process.pid, 'SIGKILL');
  await once(child, 'exit');
  await output.written();
};
await run();
