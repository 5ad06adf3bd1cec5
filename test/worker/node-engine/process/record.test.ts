import { execFileSync, spawnSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import t from 'tap';
import { openRecord, recorded, recordedExit } from '../../../../worker/node-engine/process/record.ts';
import { inSandbox } from '../../net-manager/sandbox.ts';

t.test('a recorded program is named by its path, so that no applet of the shell takes its place', async (t) => {
  const argv = recorded(['sh', '-c', 'exit 3'], { NAME: 'a value' });
  const at = argv.indexOf('NAME=a value') + 1;
  t.ok(isAbsolute(argv[at] ?? ''), argv.join(' '));
  t.strictSame(argv.slice(at + 1), ['-c', 'exit 3']);
  t.equal(recorded(['no-such-program'], {}).at(-1), 'no-such-program');
});

inSandbox(import.meta.url, () => {
  t.test('how a program ends is recorded although the disk has filled up since it began', async (t) => {
    const folder = '/run';
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'disk', folder]);
    for (const [status, exit] of [
      [0, { code: 0, signal: null }],
      [137, { code: null, signal: 'SIGKILL' }],
    ] as const) {
      const file = join(folder, `${status}.exit`);
      await using handle = await openRecord(file);
      spawnSync('dd', ['if=/dev/zero', `of=${folder}/filler`, 'bs=4k']);
      const [, ...argv] = recorded(['sh', '-c', `exit ${status}`], {});
      spawnSync('sh', argv, { stdio: ['ignore', 'ignore', 'ignore', handle.fd, 'pipe'] });
      t.same(await recordedExit(file), exit);
      await rm(join(folder, 'filler'));
    }
  });
});
