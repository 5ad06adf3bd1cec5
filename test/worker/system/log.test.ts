import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { inSandbox } from '../net-manager/sandbox.ts';

const program = fileURLToPath(new URL('log.ts', import.meta.url));

inSandbox(import.meta.url, () => {
  t.test('no daemon ends because its log cannot be written, and it is written as soon as it can be', async (t) => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'disk', '/run']);
    const file = openSync('/run/log', 'a');
    const child = fork(program, { stdio: ['ignore', file, file, 'ipc'] });
    const say = async (text: string) => {
      child.send(text);
      await once(child, 'message');
    };
    execFileSync('sh', ['-c', 'dd if=/dev/zero of=/run/filler bs=4k 2>/dev/null || true']);
    for (let index = 0; index < 3; index += 1) await say('x'.repeat(5000));
    t.equal(child.exitCode, null);
    await rm('/run/filler');
    await say('\u001b[2Jevil\r one\n two\u2028three');
    t.match(await readFile('/run/log', 'utf8'), /\S+ INFO \[2Jevil one \| two \| three\n\S+ ERROR \[2Jevil/);
    t.notMatch(await readFile('/run/log', 'utf8'), /x{4001}/, 'no text of a network makes an endless line');
    child.kill();
  });
});
