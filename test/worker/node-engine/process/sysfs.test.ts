import { execFileSync } from 'node:child_process';
import t from 'tap';
import { findGroups } from '../../../../worker/node-engine/process/limits.ts';
import { inSandbox } from '../../net-manager/sandbox.ts';

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

inSandbox(import.meta.url, () => {
  t.test('a sysfs without control groups is found out at once', { timeout: 120_000 }, async (t) => {
    execFileSync('mount', ['-t', 'sysfs', 'sysfs', '/sys']);
    t.equal(await findGroups(silent), undefined);
  });
});
