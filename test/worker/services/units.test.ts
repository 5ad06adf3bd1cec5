import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { inSandbox } from '../net-manager/sandbox.ts';
import { installWorker, overlay, overlaysWork, tell } from './board.ts';

const missing = (file: string): string | false => {
  try {
    execFileSync(file, ['--version'], { stdio: 'ignore' });
    return false;
  } catch {
    return `${file} is not installed`;
  }
};

const units = ['oakestra-netmanager.service', 'oakestra-nodeengine.service'];
const scripts = [
  '/etc/init.d/S98netmanager',
  '/etc/init.d/S99nodeengine',
  '/usr/bin/NetManager',
  '/usr/bin/NodeEngine',
  '/usr/lib/oakestra/supervise',
];

inSandbox(import.meta.url, async () => {
  const noBoard = overlaysWork() ? false : 'no file system can be laid over another one here';
  t.before(() => (noBoard ? undefined : installWorker('/bin/true')));

  t.test('units that make no mount namespace and spare the instances', async (t) => {
    for (const unit of units) {
      const text = await readFile(join(overlay, 'usr/lib/systemd/system', unit), 'utf8');
      t.match(text, /^KillMode=process$/m, unit);
      t.match(text, /^Restart=on-failure$/m, unit);
      const forbidden = /^(Protect(System|Home|Kernel\w+|Control\w+)|Private\w+|ReadOnlyPaths|Memory\w*Execute)=/m;
      t.notMatch(text, forbidden, `${unit}: named network namespaces, V8 and wasmtime's compiler`);
    }
  });

  t.test('systemd understands every word of the units', { skip: noBoard || missing('systemd-analyze') }, async (t) => {
    const files = units.map((unit) => `/usr/lib/systemd/system/${unit}`);
    const { code, text } = await tell('systemd-analyze', 'verify', '--man=no', ...files);
    // Before 254 systemd has no backoff: it restarts every second.
    const newer = /'Restart(Steps|MaxDelaySec)'/;
    const ours = text.split('\n').filter((line) => line.includes('oakestra') && !newer.test(line));
    t.same({ code, ours }, { code: 0, ours: [] });
  });

  t.test('shellcheck finds nothing in the scripts', { skip: noBoard || missing('shellcheck') }, async (t) => {
    const found = await tell('shellcheck', '--shell=sh', '--external-sources', ...scripts);
    t.same(found, { code: 0, text: '' });
  });
});
