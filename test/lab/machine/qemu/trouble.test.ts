import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { messageOf } from '../../../../lab/system/errors.ts';
import { fetchTools } from '../../../../lab/system/packages/tools.ts';
import { quote } from '../../../../lab/system/quote.ts';
import { listRuns } from '../../../../lab/system/runs.ts';
import { until } from '../../../../lab/system/wait.ts';
import { privateCache } from '../../../support/files/private.ts';
import { boot, noMachine } from './boot.ts';

const reason = await noMachine();

t.test('a boot that comes to nothing', { skip: reason }, async (t) => {
  await using place = await privateCache();
  const tools = await fetchTools('qemu');
  const { file, args } = tools.program('usr/bin/qemu-system-aarch64');

  /** A QEMU in a script that does something with its arguments first. */
  const qemu = async (name: string, first: string): Promise<string> => {
    const script = path.join(place.folder, name);
    const command = [file, ...args].map(quote).join(' ');
    await fs.writeFile(script, `#!/bin/sh\n${first}\nexec ${command} "$@"\n`, { mode: 0o755 });
    return script;
  };

  /** Makes one of the arguments another one. */
  const replacing = (pattern: string, by: string): string =>
    `for arg; do shift; case "$arg" in ${pattern}) arg=${by};; esac; set -- "$@" "$arg"; done`;

  /** What is said about a boot that fails. The kernel needs much longer to come up than this may take. */
  const said = (options: { readonly qemu: string }, signal?: AbortSignal): Promise<string> =>
    boot(options, signal).then(() => 'it booted', messageOf);

  await t.test('a kernel without its first file system panics: the console says so', async (t) => {
    const without = await qemu('panic', replacing('*/initramfs/*', '/dev/null'));
    const message = await said({ qemu: without });
    t.match(message, /the emulator ended with \d/);
    t.match(message, /Kernel panic/);
  });

  await t.test('a missing layer: what the board says is in the message', async (t) => {
    const nothing = 'if=none,id=layer0,format=raw,readonly=on,file.driver=null-co,file.size=1M';
    const system = await qemu('layer', replacing('*/layers/system-*', nothing));
    t.match(await said({ qemu: system }), /panic|not found|No such file|can't/i);
  });

  await t.test('an emulator that ends at once', async (t) => {
    t.match(
      await said({ qemu: await qemu('option', 'set -- -nonsense "$@"') }),
      /the emulator ended with 1\n.*nonsense: invalid option/,
    );
    t.match(await said({ qemu: '/bin/true' }), /the emulator ended with 0/);
  });

  await t.test('an emulator that gives its guest up, as one does whose KVM fails', async (t) => {
    const failing = path.join(place.folder, 'failing.cjs');
    const answers = `{ const { execute, id } = JSON.parse(line);
      socket.write(JSON.stringify({ id, return: execute === 'query-status' ? { status: 'internal-error' } : {} }) + '\\n');
      if (execute === 'qmp_capabilities') socket.write('{"event":"STOP"}\\n'); }`;
    const script = `#!${process.execPath}
      const [net, { createInterface }] = [require('node:net'), require('node:readline')];
      process.stderr.write('KVM internal error. Suberror: 1\\nRAX=0\\n');
      net.createServer(() => {}).listen('agent.sock');
      net.createServer((socket) => createInterface({ input: socket }).on('line', (line) => ${answers})).listen('monitor.sock');`;
    await fs.writeFile(failing, script, { mode: 0o755 });
    t.equal(await said({ qemu: failing }), 'the emulator gave the guest up (KVM internal error. Suberror: 1)');
  });

  await t.test('an emulator that cannot be started', async (t) => {
    t.match(await said({ qemu: '/nowhere/qemu' }), /\/nowhere\/qemu/);
    const odd = path.join(place.folder, 'odd');
    await fs.writeFile(odd, 'no program');
    t.match(await said({ qemu: odd }), /could not be started: .*EACCES/);
  });

  await t.test('an interruption while it boots', async (t) => {
    const interruption = new AbortController();
    const hanging = await qemu('hanging', `touch ${quote(path.join(place.folder, 'started'))}; set -- "$@" -S`);
    const message = said({ qemu: hanging }, interruption.signal);
    const started = () => fs.stat(path.join(place.folder, 'started')).catch(() => undefined);
    await until(started, AbortSignal.timeout(300_000));
    interruption.abort(new Error('interrupted'));
    t.equal(await message, 'interrupted');
  });

  t.strictSame(await listRuns(), [], 'nothing stays of any of them');
});
