import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import t from 'tap';
import { openConsole, warningIn } from '../../../../lab/machine/hardware/console.ts';
import { until } from '../../../../lab/system/wait.ts';

const noTerminals = (): string | false => {
  try {
    execFileSync('script', ['--version']);
    return false;
  } catch {
    return 'no program that makes pseudo-terminals (script, of util-linux)';
  }
};

/** One end of a serial line; the other end is a device. */
const serialLine = async () => {
  const child = spawn('script', ['-qfc', 'stty raw -echo; tty; exec sleep infinity', '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [device] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { device: device.trim(), say: (text: string) => child.stdin.write(text), unplug: () => child.kill('SIGKILL') };
};

t.test(
  'a serial console is written down with times, and warns of what a person has to know',
  { skip: noTerminals() },
  async (t) => {
    const line = await serialLine();
    const notes: string[] = [];
    const lost = Promise.withResolvers<Error>();
    await using console = await openConsole(line.device, (text) => notes.push(text), lost.resolve);
    line.say('\u001b[2J\u001b[1mBooting Linux\u001b[0m\r\n');
    line.say('[    5.1] hwmon hwmon1: Under');
    line.say(
      'voltage detected!\r\n[    6.1] hwmon hwmon1: Undervoltage detected!\r\n[ 7.0] Internal error: Oops: 96000005 [#1] SMP\r\nlogin: \r\n',
    );
    const read = console.log.read;
    await until(async () => ((await read()).includes('login:') ? true : undefined), AbortSignal.timeout(120_000));
    const lines = (await read()).trimEnd().split('\n');
    for (const one of lines) t.match(one, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /);
    t.strictSame(
      lines.map((one) => one.slice(25)),
      [
        'Booting Linux',
        '[    5.1] hwmon hwmon1: Undervoltage detected!',
        '[    6.1] hwmon hwmon1: Undervoltage detected!',
        '[ 7.0] Internal error: Oops: 96000005 [#1] SMP',
        'login:',
      ],
    );
    t.match(notes, [/voltage is too low.*\[ {4}5\.1\]/, /\(oops\)/], 'each is told once');

    line.unplug();
    t.match(await lost.promise, { fault: 'lab', message: /the serial console \S+ went away/ });
    t.match(await read(), /Booting Linux/, 'what was read stays');
  },
);

t.test('a device that is none is said, with what to do', async (t) => {
  const fault = {
    fault: 'lab',
    message: /the serial console \/dev\/nothing cannot be opened/,
    next: [/by-id/, /dialout/],
  };
  await t.rejects(
    openConsole(
      '/dev/nothing',
      () => {},
      () => {},
    ),
    fault,
  );
});

t.test('only alarms are alarms', async (t) => {
  for (const line of [
    'Kernel panic - not syncing: Attempted to kill init!',
    'Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000',
    'Under-voltage detected! (0x00050005)',
    'Out of memory: Killed process 214 (wasmtime) total-vm:1kB',
    'mmc0: Timeout waiting for hardware interrupt.',
    'EXT4-fs error (device mmcblk0p2): ext4_find_entry:1683',
    'EXT4-fs (mmcblk0p2): Remounting filesystem read-only',
  ])
    t.ok(warningIn(line), line);
  for (const line of ['Voltage normalised', 'mmc0: new high speed SDHC card', 'login: ', 'Welcome to Debian'])
    t.equal(warningIn(line), undefined, line);
  fc.assert(
    fc.property(fc.string(), (line) => warningIn(line) === undefined || line.length > 3),
    { seed: 5 },
  );
});
