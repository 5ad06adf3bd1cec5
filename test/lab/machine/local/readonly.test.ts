import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import Type from 'typebox';
import { mountsBelow } from '../../../../lab/machine/local/mounts.ts';
import { parseJson } from '../../../../worker/contract/check.ts';
import { withoutLocal } from '../../../scenarios/local/local.ts';
import { removeFolder } from '../../../support/files/remove.ts';
import { otherUser, withoutOtherUser } from '../../../support/other-user.ts';
import { noNamespaces } from '../../../support/user-namespace.ts';

const Ended = Type.Object({ code: Type.Integer(), stdout: Type.String(), stderr: Type.String() });
const intruder = fileURLToPath(new URL('intruder.ts', import.meta.url));
const skip = withoutLocal();

/** What a program on a board could change that is not the board's; the lab is started after the words `before`. */
const intrude = async (owner: number, ...before: readonly string[]) => {
  const home = await fs.mkdtemp('/tmp/lab-test-');
  if (owner !== process.getuid?.()) await fs.chown(home, owner, owner);
  try {
    const [file = '', ...args] = [...before, process.execPath, intruder];
    const { NODE_OPTIONS: _, ...env } = process.env;
    const { stdout } = await promisify(execFile)(file, args, { env: { ...env, XDG_CACHE_HOME: home, HOME: home } });
    const ended = parseJson(Ended, stdout, 'what the intruder printed');
    return ended;
  } finally {
    await removeFolder(home);
  }
};

const untouched = { code: 0, stdout: '' };

t.test('a board writes to nothing of this computer', { skip }, async (t) => {
  t.match(await intrude(process.getuid?.() ?? 0), untouched);
});

t.test('nor where an ordinary user runs the lab', { skip: skip || withoutOtherUser() }, async (t) => {
  const drop = ['setpriv', `--reuid=${otherUser}`, `--regid=${otherUser}`, '--clear-groups'];
  t.match(await intrude(otherUser, ...drop), untouched);
});

const own = ['--user', '--map-root-user', '--mount'];
t.test(
  'nor to what is mounted somewhere below its folders, as in a container',
  { skip: skip || (noNamespaces(...own) ?? false) },
  async (t) => {
    const nested =
      'mount -o remount,bind,ro /sys && mount -t tmpfs -o nosuid,nodev,noexec lab /usr/share && mkdir "/usr/share/a b" && mount -t tmpfs lab "/usr/share/a b" && exec "$@"';
    const ended = await intrude(process.getuid?.() ?? 0, 'unshare', ...own, 'sh', '-c', nested, 'sh');
    t.match(ended, untouched);
  },
);

t.test('mounts are read as the kernel writes them', async () => {
  const octal = (text: string) =>
    text.replace(/[ \t\n\\]/g, (one) => `\\${one.charCodeAt(0).toString(8).padStart(3, '0')}`);
  const name = fc.string({ minLength: 1, maxLength: 10 }).filter((text) => !text.includes('/') && !text.includes('\0'));
  fc.assert(
    fc.property(fc.array(name, { maxLength: 5 }), fc.subarray(['nosuid', 'nodev', 'noexec']), (names, flags) => {
      const line = (target: string) =>
        `36 35 98:0 / ${octal(target)} ${['rw', ...flags, 'relatime'].join(',')} - ext4 /dev/x rw`;
      const text = ['/root', '/rooted/x', ...names.map((one) => `/root/${one}`)].map(line).join('\n');
      const wanted = names.map((one) => ({ target: `/root/${one}`, flags }));
      return JSON.stringify(mountsBelow(text, '/root')) === JSON.stringify(wanted);
    }),
  );
});
