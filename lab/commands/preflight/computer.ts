import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { namespaceTrouble } from '../../machine/local/namespaces.ts';
import { openObstacle } from '../../machine/qemu/kvm.ts';
import { installTrouble } from '../../system/files/installation.mjs';
import { findProgram } from '../../system/programs.ts';
import { bad, type Check, good, remark } from './check.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const minNode = 24;

const system: Check = {
  name: 'system',
  need: 'every run',
  look: () => {
    const detail = `${process.platform} ${process.arch}, Node ${process.version}`;
    if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64'))
      return bad(detail, 'the lab runs on Linux, x86-64 or arm64');
    if (Number.parseInt(process.versions.node, 10) < minNode)
      return bad(detail, 'start it by npm run lab, which has the Node that it needs');
    return good(detail);
  },
};

const packages: Check = {
  name: 'npm packages',
  need: 'doctor', // before a run set-up has looked at them already
  look: () => {
    const trouble = installTrouble(root, 'runtime');
    return trouble === undefined ? good('all installed') : bad(trouble, 'npm run lab -- doctor, which installs them');
  },
};

/** Whether the user database has an entry for this user; ssh and ssh-keygen end at once without one. */
const hasEntry = (): boolean => {
  try {
    return os.userInfo().username !== '';
  } catch {
    return false;
  }
};

const user: Check = {
  name: 'user',
  need: 'ssh',
  look: () =>
    hasEntry()
      ? good(`${process.getuid?.()} (${os.userInfo().username})`)
      : bad(
          `user ${process.getuid?.()} has no entry in the user database: ssh refuses to work`,
          'for a board of your own: add an entry to /etc/passwd, or start the container with a user that has one',
        ),
};

const ssh: Check = {
  name: 'ssh',
  need: 'ssh',
  look: () => {
    const file = findProgram('ssh');
    return file === undefined
      ? bad('this computer has no ssh', 'for a board of your own: install openssh-client')
      : good(file);
  },
};

const namespaces: Check = {
  name: 'namespaces',
  need: 'namespaces',
  look: async ({ signal }) => {
    const trouble = await namespaceTrouble(signal);
    return trouble === undefined
      ? good('allowed: --machine local works')
      : bad(`--machine local does not work: ${trouble.message}`, trouble.next.join('\n    '));
  },
};

const kvm: Check = {
  name: 'KVM',
  need: 'doctor', // a run that could use it tries more than this
  look: async () => {
    const obstacle = await openObstacle();
    if (obstacle === undefined) return good('/dev/kvm opens; whether it runs a board is tried when one is started');
    const { why, next } = obstacle;
    return remark(`${why}: boards in QEMU are emulated`, next.join('\n    ') || 'nothing else depends on it');
  },
};

/** What this computer and its user have to be. */
export const computerChecks: readonly Check[] = [system, packages, namespaces, kvm, user, ssh];
