import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const marker = 'OAKESTRA_TEST_SANDBOX';

const works = (...[file = '', ...args]: readonly string[]): boolean => {
  try {
    execFileSync(file, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

const missing = (namespaces: string): string | undefined => {
  if (!works('ip', '-Version')) return 'ip (iproute2) is not installed';
  if (!works('nft', '--version')) return 'nft (nftables) is not installed';
  if (!works('unshare', namespaces, 'true'))
    return namespaces.includes('U')
      ? 'this computer forbids unprivileged user namespaces'
      : 'this needs to run as root';
  return undefined;
};

/**
 * Runs a test file's tests in user, network and mount namespaces of their own, with an empty `/run`: the file starts
 * itself again in there. Outside, or where that is impossible, it is one skipped test with its reason. `namespaces` are
 * options of unshare(1); without `U` the tests run as the real root, with all users.
 */
export const inSandbox = (file: string, define: () => void, namespaces = '-Urnm'): void => {
  if (process.env[marker] === undefined) {
    const reason = missing(namespaces);
    if (reason !== undefined) t.test('network namespaces', { skip: reason }, () => undefined);
    else
      t.spawn('unshare', [namespaces, process.execPath, fileURLToPath(file)], {
        env: { ...process.env, [marker]: '1' },
        timeout: 120_000,
      });
    return;
  }
  execFileSync('mount', ['-t', 'tmpfs', 'run', '/run']);
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  define();
};
