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
 * The words that start a program in these namespaces. Files of /proc/net belong to a user namespace's root only where its
 * users were known when the network namespace was made (net/core/net_namespace.c): so the one comes before the other.
 */
const starting = (namespaces: string): readonly [string, ...string[]] => {
  const others = namespaces.replace(/[Ur]/g, '');
  return namespaces.includes('U') ? ['unshare', '-Ur', 'unshare', others] : ['unshare', others];
};

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
    else {
      const [command, ...args] = starting(namespaces);
      t.spawn(command, [...args, process.execPath, fileURLToPath(file)], {
        env: { ...process.env, [marker]: '1' },
        timeout: fileMs,
      });
    }
    return;
  }
  coverFolder('/run');
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  define();
};
