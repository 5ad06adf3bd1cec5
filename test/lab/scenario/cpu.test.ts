import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import type { Machine } from '../../../lab/machine/machine.ts';
import { cpuTicks } from '../../../lab/scenario/board/cpu.ts';

const run = promisify(execFile);

t.test('a program that has just left the namespace is no trouble when CPU time is read', async (t) => {
  const ended = 4_194_305; // above the highest number that a process can have (proc_sys_kernel(5))
  const bin = t.testdir({ ip: `#!/bin/sh\necho ${process.pid}\necho ${ended}\n` });
  await run('chmod', ['+x', `${bin}/ip`]);
  const machine = {
    exec: async ([file = '', ...args]: readonly string[]) => {
      const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}` };
      const { stdout, stderr } = await run(file, args, { env });
      return { code: 0, stdout, stderr };
    },
  } as unknown as Machine;
  const { processes } = await cpuTicks(machine, 'a.b.c.d.instance.0');
  t.strictSame([...processes.keys()], [process.pid]);
});
