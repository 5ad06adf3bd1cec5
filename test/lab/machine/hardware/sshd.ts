import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import type { MachineDefinition } from '../../../../lab/machine/hardware/definition.ts';
import { hostMachine } from '../../../../lab/system/elf.ts';
import { messageOf } from '../../../../lab/system/errors.ts';
import { fetchTools, type Tools } from '../../../../lab/system/packages/tools.ts';
import { commandLine } from '../../../../lab/system/quote.ts';
import { noNamespaces } from '../../../support/user-namespace.ts';
import { makeKey } from './keys.ts';

const user = 'pi';
const own = ['--user', '--map-root-user', '--mount', '--net'];

/** The locked OpenSSH server, or why it cannot run here. */
export const sshServer: Tools | string =
  noNamespaces(...own) ??
  (await fetchTools('ssh-server', undefined, AbortSignal.timeout(300_000)).catch(
    (error: unknown) => `no OpenSSH server: ${messageOf(error)}`,
  ));

/** How a board is set up that has OpenSSH. */
export type SshdSetup = {
  /** Further lines of sshd_config. */
  readonly config?: readonly string[];
  /** Options before the key in authorized_keys (sshd(8)). */
  readonly key?: string;
  /** What the user's login shell does at its start. */
  readonly greeting?: string;
  /** The user becomes root by sudo without a password. */
  readonly sudo?: boolean;
  readonly address?: string;
};

/** An ordinary user's computer, made anew for each connection; `$1` is the folder with its files. */
const computer = `
set -e
for place in /run /home /usr/local/bin; do mount -t tmpfs computer $place; done
mkdir /home/${user}
cp "$1/bashrc" /home/${user}/.bashrc
[ ! -e "$1/sudo" ] || cp "$1/sudo" /usr/local/bin/sudo
printf '%s\\n' 'root:x:0:0:root:/root:/bin/sh' '${user}:x:1000:1000::/home/${user}:/bin/bash' >/home/passwd
mount --bind /home/passwd /etc/passwd
ip link set lo up
shift
exec unshare --user --map-user=1000 --map-group=1000 "$@"
`;

/** Stands for sudo where a user has no other one to become: root of a namespace of its own. */
const sudo = `#!/bin/sh
[ "$1 $2" = '-n --' ] || exit 1
shift 2
exec env -i PATH="$PATH" unshare --user --map-root-user "$@"
`;

/** Starts an OpenSSH server on loopback for an ordinary user, with a configuration of its own. */
export const startSshd = async (
  tools: Tools,
  folder: string,
  setup: SshdSetup,
): Promise<AsyncDisposable & { readonly definition: MachineDefinition & { readonly ssh: string } }> => {
  const { config = [], key = '', greeting = '', address = '127.0.0.1' } = setup;
  const file = (name: string) => path.join(folder, name);
  const [identity, host] = [await makeKey(file('identity')), await makeKey(file('host'))];
  // since OpenSSH 9.8 the server starts these two, which need the loader of their package as well
  for (const name of ['sshd-session', 'sshd-auth']) {
    const program = tools.program(`usr/lib/openssh/${name}`, `/usr/lib/openssh/${name}`);
    const words = commandLine([program.file, ...program.args]);
    await fs.writeFile(file(name), `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
  }
  await fs.writeFile(file('bashrc'), `${greeting}\n`);
  if (setup.sudo) await fs.writeFile(file('sudo'), sudo, { mode: 0o755 });
  await fs.writeFile(file('authorized_keys'), `${key} ${identity.known}`.trimStart());
  const lines = [
    ...[`HostKey ${host.file}`, `AuthorizedKeysFile ${file('authorized_keys')}`, 'StrictModes no', 'UsePAM no'],
    ...[`SshdSessionPath ${file('sshd-session')}`, `SshdAuthPath ${file('sshd-auth')}`, ...config],
  ];
  await fs.writeFile(file('config'), `${lines.join('\n')}\n`);
  const sshd = tools.program('usr/sbin/sshd', '/usr/sbin/sshd');
  const argv = [sshd.file, ...sshd.args, '-i', '-f', file('config')];
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    const session = spawn('unshare', [...own, 'sh', '-c', computer, 'sh', folder, ...argv], {
      env: { PATH: process.env['PATH'] },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    session.stdin.on('error', () => socket.destroy());
    socket.pipe(session.stdin);
    session.stdout.pipe(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      session.stdin.destroy();
    });
  });
  server.listen(0, address);
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('no TCP address');
  const ssh = net.isIPv6(address) ? `${user}@[${address}]:${bound.port}` : `${user}@${address}:${bound.port}`;
  return {
    definition: { ssh, identity: identity.file, architecture: hostMachine() },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
