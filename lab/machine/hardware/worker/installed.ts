import type { Input } from '../../../report/model/results.ts';
import { labFault } from '../../../system/errors.ts';
import { onlyIfOwner } from '../board-lock.ts';
import type { BoardShell } from '../ssh/board-shell.ts';

/**
 * Where the board's own configuration and state of the worker are kept while a run has its own. They survive a loss of
 * power: the next run finds them and puts them back.
 */
const labState = '/var/lib/oakestra-lab';
const kept = `${labState}/kept`;

const scripts = ['S99nodeengine', 'S98netmanager'] as const;

/**
 * Puts back what a run put aside, as far as it had come, and starts what ran before. Whatever is cut short can be done
 * again.
 */
const restoreScript = `${onlyIfOwner}
set -e
for name in ${scripts.join(' ')}; do /etc/init.d/$name stop >/dev/null; done
rm -rf /etc/oakestra
cp -a ${kept}/etc /etc/oakestra
for place in lib log cache; do
	if [ -e ${kept}/$place ]; then rm -rf /var/$place/oakestra; mv ${kept}/$place /var/$place/oakestra
	elif [ -e ${kept}/$place.none ]; then rm -rf /var/$place/oakestra; fi
done
rmdir /run/oakestra 2>/dev/null || true
if [ -e ${kept}/netns.none ]; then umount /run/netns; rmdir /run/netns; fi 2>/dev/null || true
for name in $(cat ${kept}/running); do /etc/init.d/$name start >/dev/null 2>&1; done
# what came back has to be on the card before what was kept goes
sync
mv ${kept} ${kept}.done
rm -rf ${labState}
`;

/** Puts the configuration and state of the board's own aside, and stops its worker. The rename is the turning point. */
const keepScript = `
set -e
rm -rf ${kept}.new ${kept}.done
mkdir -p ${kept}.new
cp -a /etc/oakestra ${kept}.new/etc
for name in S98netmanager S99nodeengine; do
	if /etc/init.d/$name status >/dev/null; then echo $name; fi
done >${kept}.new/running
# the first namespace makes this folder, a mount of its own, and the last one leaves it
[ -e /run/netns ] || touch ${kept}.new/netns.none
# a rename may be on the card before what was copied
sync
mv ${kept}.new ${kept}
for name in ${scripts.join(' ')}; do /etc/init.d/$name stop >/dev/null; done
for place in lib log cache; do
	if [ -e /var/$place/oakestra ]; then mv /var/$place/oakestra ${kept}/$place; else touch ${kept}/$place.none; fi
done
`;

/**
 * Ends what else a run has running, then its instances and their networks: the engine first, else it would start them
 * again. The net manager takes its part of the network away when it ends without an instance.
 */
const clearScript = `${onlyIfOwner}
for file in /proc/[0-9]*/cmdline; do
	if grep -qz '^${labState}/' "$file" 2>/dev/null; then pid=\${file#/proc/}; kill "\${pid%/cmdline}"; fi
done
/etc/init.d/S99nodeengine stop >/dev/null
for name in $(ip netns list | sed -n 's/^\\([^ ]*\\.instance\\.[0-9]*\\).*/\\1/p'); do
	for pid in $(ip netns pids "$name"); do kill -KILL "$pid" 2>/dev/null; done
	curl --silent --max-time 20 --unix-socket /etc/netmanager/netmanager.sock http://local/wasm/undeploy \\
		--data "{\\"serviceName\\":\\"\${name%.instance.*}\\",\\"instanceNumber\\":\${name##*.}}" >/dev/null
done
/etc/init.d/S98netmanager stop >/dev/null
true
`;

const describeScript = `
cd / && wasmtime --version && node --version &&
sha256sum "$(command -v wasmtime)" "$(command -v node)" &&
cat /usr/lib/oakestra/*.cjs | sha256sum
`;

/** What the installed worker is made of. */
export type Installed = { readonly wasmtimeVersion: string; readonly inputs: readonly Input[] };

const describe = async (shell: BoardShell): Promise<Installed> => {
  const printed = await shell.script("the board's worker cannot be described", describeScript);
  const [wasmtime = '', node = '', ...sums] = printed.trim().split('\n');
  const wasmtimeVersion = /\d+\.\d+\.\d+/.exec(wasmtime)?.[0] ?? 'unknown';
  const [first, second, third] = sums.map((line) => line.split(' ')[0] ?? '');
  const input = (name: string, version: string, sha256: string | undefined): Input => ({
    ...{ name, version },
    ...(sha256 === undefined ? {} : { sha256 }),
  });
  return {
    wasmtimeVersion,
    inputs: [
      input('wasmtime (board)', wasmtimeVersion, first),
      input('node (board)', node.replace(/^v/, ''), second),
      input('worker', 'as installed', third),
    ],
  };
};

/**
 * Takes away what a run has deployed, and gives the board back what the run had put aside; nothing where there is none,
 * or where `owner` has the board no more.
 */
export const restoreInstalled = async (name: string, shell: BoardShell, owner: string): Promise<void> => {
  const { code } = await shell.exec(['test', '-d', kept]);
  if (code !== 0) return;
  await shell.script(`what was deployed on ${name} cannot be taken away`, clearScript, [owner]);
  await shell.script(`what a run put aside on ${name} cannot be put back`, restoreScript, [owner]);
};

/**
 * Makes the worker that a board has installed the run's own until it is disposed of: the board's configuration, state
 * and logs are put aside, and come back with all that ran before.
 */
export const borrowInstalled = async (
  name: string,
  shell: BoardShell,
  owner: string,
): Promise<AsyncDisposable & Installed> => {
  const instances = (await shell.exec(['ip', 'netns', 'list'])).stdout
    .split('\n')
    .filter((line) => line.includes('.instance.'));
  if (instances.length > 0)
    throw labFault(`${name} runs instances of a cluster: ${instances.map((line) => line.split(' ')[0]).join(', ')}`, [
      'undeploy them there first',
    ]);
  const installed = await describe(shell);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => restoreInstalled(name, shell, owner));
  await shell.script(`the configuration of ${name} cannot be put aside`, keepScript);
  const resources = stack.move();
  return { ...installed, [Symbol.asyncDispose]: () => resources.disposeAsync() };
};
