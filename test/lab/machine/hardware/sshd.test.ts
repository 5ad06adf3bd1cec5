import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { lockBoard, ownerOf } from '../../../../lab/machine/hardware/board-lock.ts';
import { hostKeyFile } from '../../../../lab/machine/hardware/definition.ts';
import { examineHardware } from '../../../../lab/machine/hardware/examine.ts';
import { BoardShell } from '../../../../lab/machine/hardware/ssh/board-shell.ts';
import { Connection } from '../../../../lab/machine/hardware/ssh/connection.ts';
import { openRun } from '../../../../lab/system/runs.ts';
import { privateCache } from '../../../support/files/private.ts';
import { withoutSsh } from '../../../support/ssh.ts';
import { type SshdSetup, sshServer, startSshd } from './sshd.ts';

const skip = withoutSsh() ?? (typeof sshServer === 'string' ? sshServer : false);
process.env['XDG_CONFIG_HOME'] = t.testdir();
const soon = () => AbortSignal.timeout(120_000);

/** An OpenSSH server set up like that, and what doctor finds on it. */
const board = async (t: Test, setup: SshdSetup) => {
  if (typeof sshServer === 'string') throw new Error(sshServer);
  const stack = new AsyncDisposableStack();
  t.teardown(() => stack.disposeAsync());
  const { folder } = stack.use(await privateCache([]));
  const place = await fs.mkdtemp(path.join(folder, 'sshd-'));
  const { definition } = stack.use(await startSshd(sshServer, place, setup));
  await fs.rm(hostKeyFile('bench'), { force: true });
  return {
    findings: () => examineHardware('bench', definition, soon()),
    open: async () => {
      const run = stack.use(await openRun('a test'));
      const connection = stack.use(await Connection.open({ name: 'bench', definition, run }, soon()));
      return { connection, run, shell: new BoardShell(connection, run) };
    },
  };
};

const greeting = `
echo 'Welcome: 17 updates can be installed'
echo 'warning: setlocale: cannot change locale' >&2
printf 'no newline'
`;

t.test('a board whose shell greets, and whose user has sudo', { skip }, async (t) => {
  const { findings, open } = await board(t, { greeting, sudo: true });
  const { shell } = await open();
  t.strictSame(await shell.exec(['sh', '-c', 'id -u; echo err >&2; exit 41']), {
    code: 41,
    stdout: '0\n',
    stderr: 'err\n',
  });
  t.equal((await shell.exec(['sh', '-c', 'exit 255'])).code, 255);
  t.strictSame(await shell.exec(['printf', 'no end']), { code: 0, stdout: 'no end', stderr: '' });
  t.strictSame(await shell.exec(['cat'], { stdin: '\nlab-end-0 0\n' }), {
    code: 0,
    stdout: '\nlab-end-0 0\n',
    stderr: '',
  });
  t.equal((await shell.exec(['sh', '-c', 'echo "$X"'], { env: { X: "a'b\nc" } })).stdout, "a'b\nc\n");
  t.equal((await shell.exec(['sh', '-c', 'kill -KILL $$'])).code, 137);
  const bytes = Buffer.from(Array.from({ length: 70_000 }, (_unused, index) => (index * 7) % 256));
  await shell.writeFile('/run/bytes', bytes, 0o640);
  t.ok((await shell.readFile('/run/bytes')).equals(bytes));

  const lost = (reason: Error) => t.fail(reason.message);
  const lock = await lockBoard('bench', shell, ownerOf('one'), lost);
  await t.rejects(lockBoard('bench', shell, ownerOf('two'), lost), {
    fault: 'lab',
    message: `bench is in use by the lab on ${os.hostname()} (process ${process.pid}, run one)`,
  });
  await lock[Symbol.asyncDispose]();
  await shell.exec(['sh', '-c', 'mkdir -p /run/oakestra-lab; echo >/run/oakestra-lab/lock']);
  await t.rejects(lockBoard('bench', shell, ownerOf('two'), lost), {
    message: /^bench has a lock with unknown content: /,
    next: [/rm \/run\/oakestra-lab\/lock/],
  });

  const found = await findings();
  t.notMatch(JSON.stringify(found), /undefined|NaN|Welcome|setlocale/);
  t.match(found, [
    { name: 'ssh', ok: true },
    { name: 'sessions of ssh', ok: true },
    { name: 'ports through ssh', ok: true },
  ]);
  t.notOk(
    found.some(({ name }) => name === 'user'),
    'it is root there',
  );
});

t.test('a user who cannot become root is told so', { skip }, async (t) => {
  const { findings } = await board(t, { greeting });
  t.match(
    (await findings()).find(({ name }) => name === 'user'),
    { ok: false, detail: /not root/, remedy: /NOPASSWD/ },
  );
});

t.test('a board that runs something else than it is told', { skip }, async (t) => {
  for (const setup of [{ config: ['ForceCommand echo only backups'] }, { key: 'command="echo only backups"' }]) {
    const { findings, open } = await board(t, setup);
    t.match(await findings(), [
      { name: 'ssh', ok: false, detail: /printed "only backups"/, remedy: /ForceCommand[\s\S]*command="…"/ },
    ]);
    await t.rejects(open(), { fault: 'lab', message: /^bench did not run the command sent by ssh/ });
  }
});

t.test('a board with few sessions: commands wait for each other', { skip }, async (t) => {
  const { findings, open } = await board(t, { config: ['MaxSessions 2'], sudo: true });
  const { shell } = await open();
  const all = Array.from({ length: 12 }, (_unused, index) => shell.exec(['echo', String(index)]));
  t.strictSame(
    (await Promise.all(all)).map(({ stdout }) => stdout),
    all.map((_each, index) => `${index}\n`),
  );
  t.match(
    (await findings()).find(({ name }) => name === 'sessions of ssh'),
    {
      ...{ ok: true, detail: /^2 at a time/, remedy: /sshd_config: MaxSessions 10/ },
    },
  );
  const single = await board(t, { config: ['MaxSessions 1'], sudo: true });
  t.match(
    (await single.findings()).find(({ name }) => name === 'sessions of ssh'),
    {
      ...{ ok: false, fatal: true, detail: /^1 at a time.*needs 2/, remedy: /sshd_config: MaxSessions 10/ },
    },
  );
});

t.test('a board that forwards no ports, in either direction', { skip }, async (t) => {
  const setups: readonly SshdSetup[] = [
    { config: ['AllowTcpForwarding no'] },
    { config: ['AllowTcpForwarding local'] },
    { config: ['AllowTcpForwarding remote'] },
    { config: ['PermitOpen none'] },
    { config: ['PermitListen none'] },
    { key: 'no-port-forwarding' },
  ];
  for (const setup of setups) {
    const { findings } = await board(t, { ...setup, sudo: true });
    t.match(
      (await findings()).find(({ name }) => name === 'ports through ssh'),
      { ok: false, fatal: true, remedy: /sshd_config: AllowTcpForwarding yes/ },
      JSON.stringify(setup),
    );
  }
  const { findings } = await board(t, { config: ['GatewayPorts no', 'AllowStreamLocalForwarding no'], sudo: true });
  t.match(
    (await findings()).find(({ name }) => name === 'ports through ssh'),
    { ok: true },
    'these two are not needed',
  );
});

const hasIpv6 = Object.values(os.networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
t.test('an IPv6 address in brackets', { skip: skip || (!hasIpv6 && 'no IPv6 loopback here') }, async (t) => {
  const { open } = await board(t, { address: '::1', sudo: true });
  const { shell } = await open();
  t.equal((await shell.exec(['echo', 'here'])).stdout, 'here\n');
});
