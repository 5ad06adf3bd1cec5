import { spawnSync } from 'node:child_process';
import { noNamespaces } from '../../support/user-namespace.ts';
import { passesOn } from '../passes.ts';

const namespaces = ['--user', '--map-root-user', '--net', '--mount', '--pid', '--fork'];
const mounts = spawnSync('unshare', [...namespaces, 'mount', '-t', 'proc', 'test', '/proc'], { encoding: 'utf8' });

/** Why no board can be made out of this computer's namespaces; false when one can. */
export const withoutLocal = (): string | false =>
  noNamespaces(...namespaces) ??
  (mounts.status === 0 ? false : `a container hides parts of /proc: ${mounts.stderr.trim()}`);

/** A scenario passes on this computer's own kernel. */
export const passesOnLocal = (name: string, more?: Parameters<typeof passesOn>[2]) =>
  passesOn('local', name, more, withoutLocal());
