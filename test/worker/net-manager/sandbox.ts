import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { hasUsers } from '../../../worker/system/users.ts';
import { coverFolder } from '../../support/files/cover.ts';
import { fileMs } from '../../support/inputs.ts';
import { otherUser } from '../../support/other-user.ts';
import { noNamespaces } from '../../support/user-namespace.ts';

const marker = 'OAKESTRA_TEST_SANDBOX';

/**
 * Runs a test file's tests in user, network and mount namespaces of their own, with an empty `/run`: the file starts
 * itself again in there. Outside, or where that is impossible, it is one skipped test with its reason. `namespaces` are
 * options of unshare(1); without `U` the tests run as the real root, with all users.
 */
export const inSandbox = (file: string, define: () => void, namespaces = '-Urnm'): void => {
  if (process.env[marker] === undefined) {
    const others = () => hasUsers(readFileSync('/proc/self/uid_map', 'utf8'), otherUser, 1);
    const root = namespaces.includes('U') || (process.getuid?.() === 0 && others());
    const reason = root ? noNamespaces(namespaces) : 'this needs to run as root, where there are other users';
    if (reason !== undefined) t.test('network namespaces', { skip: reason }, () => undefined);
    else
      t.spawn('unshare', [namespaces, process.execPath, fileURLToPath(file)], {
        env: { ...process.env, [marker]: '1' },
        timeout: fileMs,
      });
    return;
  }
  coverFolder('/run');
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  define();
};
