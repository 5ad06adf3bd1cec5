import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { MachineDefinition } from '../../../../lab/machine/hardware/definition.ts';
import { hostMachine } from '../../../../lab/system/elf.ts';
import { cachePath } from '../../../../lab/system/files/cache.ts';
import { networkCommands } from '../../../../lab/system/packages/network-tools.ts';
import { makeKey } from './keys.ts';

const server = fileURLToPath(new URL('ssh-server.ts', import.meta.url));
const repository = fileURLToPath(new URL('../../../../', import.meta.url));

/** What a computer of its own has: nothing of this one's can be written to, and its network is not this one's. */
const init = `
read -r pid rest </proc/self/stat
mount --make-rprivate / &&
mount -t proc proc /proc &&
mount -t sysfs sysfs /sys &&
mount -t tmpfs computer /mnt && mkdir /mnt/sys || exit 1
if [ -n "$3" ]; then
	# a system with the worker installed: what the archives hold, this computer's programs, and little configuration
	for archive in $3; do tar -xzf "$archive" -C /mnt || exit 1; done
	for file in passwd group hosts nsswitch.conf ld.so.cache alternatives; do cp -dR "/etc/$file" /mnt/etc; done
	mkdir /mnt/host && mount --rbind /usr /mnt/host || exit 1
	for folder in usr usr/bin usr/lib; do
		for item in "/$folder"/*; do [ -e "/mnt/$folder/\${item##*/}" ] || ln -s "/mnt/host\${item#/usr}" "/mnt/$folder"; done
	done
	mount --bind /mnt/usr /usr && mount --bind /mnt/etc /etc || exit 1
fi
mount -t tmpfs computer /usr/local/sbin &&
mkdir /usr/local/sbin/tools && mount --bind "$2" /usr/local/sbin/tools || exit 1
for tool in "$1"/*; do sed "s,$2,/usr/local/sbin/tools,g" "$tool" >"/usr/local/sbin/\${tool##*/}"; done
chmod 755 /usr/local/sbin/*
# wherever this repository lies, it is seen there, and nothing else of what is beside it
mkdir /mnt/repository && mount --bind "$4" /mnt/repository || exit 1
for place in /run /var /tmp /root; do mount -t tmpfs computer $place || exit 1; done
mkdir -p "$4" && mount --bind /mnt/repository "$4" && umount /mnt/repository && rmdir /mnt/repository || exit 1
mount -o remount,bind,ro / &&
mkdir -p /var/lib /var/log /var/cache &&
ip link set lo up || exit 1
# "ip netns exec" replaces /sys, which the kernel allows in a user namespace only while another one is in sight
mount -t sysfs sysfs /mnt/sys || exit 1
echo "$pid"
exec >/dev/null
sleep infinity &
wait $!
`;

/**
 * A computer in namespaces that can be reached by ssh only, through a network that can be cut: it stands for a board.
 */
export type Computer = AsyncDisposable & {
  readonly definition: MachineDefinition & { readonly ssh: string };
  /** Runs a program there, past ssh, and returns what it prints. */
  readonly look: (...argv: readonly string[]) => Promise<string>;
  /** Ends every connection; new ones are answered unless the network is cut. */
  readonly drop: () => void;
  /** From now on nothing comes through, in either direction, and nobody is told. */
  readonly freeze: () => void;
  /** Lets everything through again that was held up. */
  readonly thaw: () => void;
  /** Refuses new connections, or takes them again. */
  readonly refuse: (refused: boolean) => Promise<void>;
  /** Gives the computer another host key. */
  readonly changeHostKey: () => Promise<void>;
};

/** Starts a computer; the key to it lies in `folder`. With the archives of a worker it has that installed. */
export const startComputer = async (folder: string, worker: readonly string[] = []): Promise<Computer> => {
  await using stack = new AsyncDisposableStack();
  const identity = await makeKey(path.join(folder, 'identity'));
  let hostKey = await makeKey(path.join(folder, 'host'));
  const namespaces = [
    '--user',
    '--map-root-user',
    '--mount',
    '--net',
    '--pid',
    '--uts',
    '--ipc',
    '--fork',
    '--kill-child',
  ];
  const holder = spawn(
    'unshare',
    [
      ...namespaces,
      'sh',
      '-c',
      init,
      'init',
      await networkCommands(),
      cachePath('tools'),
      worker.join(' '),
      repository,
    ],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  stack.defer(() => void holder.kill('SIGKILL'));
  const [pid] = (await once(createInterface({ input: holder.stdout }), 'line')) as [string];
  const enter = [
    '--target',
    pid,
    '--user',
    '--preserve-credentials',
    '--mount',
    '--net',
    '--pid',
    '--uts',
    '--ipc',
    '--',
  ];

  const sockets = new Set<net.Socket>();
  const sessions = new Set<ChildProcess>();
  let frozen = false;
  const relay = net.createServer((socket) => {
    // a test runner's own options would make it write where it cannot
    const session = spawn('nsenter', [...enter, 'env', '-u', 'NODE_OPTIONS', process.execPath, server], {
      env: { PATH: process.env['PATH'], HOST_KEY: hostKey.secret, ALLOWED_KEY: identity.known },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    sockets.add(socket);
    sessions.add(session);
    socket.on('error', () => socket.destroy());
    session.stdin.on('error', () => socket.destroy());
    socket.pipe(session.stdin);
    session.stdout.pipe(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      session.stdin.destroy();
      session.stdout.destroy();
    });
    session.once('close', () => {
      sessions.delete(session);
      socket.end();
    });
    if (frozen) hold(socket, session);
  });
  const hold = (socket: net.Socket, session: ChildProcess): void => {
    socket.unpipe();
    session.stdout?.unpipe();
  };
  const listen = async (port: number) => {
    relay.listen(port, '127.0.0.1');
    await once(relay, 'listening');
  };
  await listen(0);
  const address = relay.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  const { port } = address;
  const drop = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  stack.defer(async () => {
    drop();
    relay.close();
  });
  const pairs: (readonly [net.Socket, ChildProcess])[] = [];
  relay.on('connection', (socket) => {
    const session = [...sessions].at(-1);
    if (session) pairs.push([socket, session]);
  });
  const resources = stack.move();
  return {
    definition: { ssh: 'root@127.0.0.1', port, identity: identity.file, architecture: hostMachine() },
    look: async (...argv) => {
      const child = spawn('nsenter', [...enter, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
      let text = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += String(chunk)));
      await once(child, 'close');
      return text;
    },
    drop,
    freeze: () => {
      frozen = true;
      for (const [socket, session] of pairs) hold(socket, session);
    },
    thaw: () => {
      frozen = false;
      for (const [socket, session] of pairs) {
        if (session.stdin) socket.pipe(session.stdin);
        session.stdout?.pipe(socket);
      }
    },
    refuse: async (refused) => {
      if (!refused) return listen(port);
      relay.close();
      drop();
    },
    changeHostKey: async () => {
      hostKey = await makeKey(path.join(folder, 'other-host'));
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
};
