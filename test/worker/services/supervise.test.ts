import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { deadline } from '../../../lab/system/wait.ts';

const supervise = fileURLToPath(new URL('../../../buildroot/overlay/usr/lib/oakestra/supervise', import.meta.url));

/** The code that a supervisor of a daemon ends with; programs in `folder` come before the system's. */
const supervised = async (t: Test, folder: string, daemon: string, signal: AbortSignal): Promise<number | null> => {
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env['PATH']}` };
  const options = { stdio: 'ignore', detached: true, env } as const;
  const child = spawn('sh', [supervise, join(folder, 'log'), 'eval', daemon], options);
  try {
    const [code] = (await once(child, 'exit', { signal })) as [number | null];
    return code;
  } catch (error) {
    t.comment(`${error}`);
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    return null;
  }
};

/** The code of a daemon that SIGTERM ended. */
const terminated = 143;

t.test('a supervisor ends, and its daemon with it, when it is told to stop', async (t) => {
  await t.test('before it has started the daemon', async (t) => {
    // what it asks for the time tells it
    const folder = t.testdir({ cut: '#!/bin/sh\nkill -TERM $PPID\nexec /usr/bin/cut "$@"\n' });
    await chmod(join(folder, 'cut'), 0o755);
    t.equal(await supervised(t, folder, 'exec sleep 1000', deadline(60_000, 'its end')), terminated);
  });

  await t.test('while it starts the daemon', async (t) => {
    const signal = deadline(120_000, 'the end of all');
    const folder = t.testdir({});
    for (let at = 0; at < 40; at++)
      t.equal(await supervised(t, folder, 'kill -TERM $$; exec sleep 1000', signal), terminated);
  });
});
