import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { hostKeyFile, saveMachine } from '../../../../lab/machine/hardware/definition.ts';
import { execOk } from '../../../../lab/machine/machine.ts';
import { fetchTools } from '../../../../lab/system/packages/tools.ts';
import { commandLine } from '../../../../lab/system/quote.ts';
import { type LabEnded, type LabProcess, labWorld } from '../../../support/lab.ts';
import { printedResults } from '../../../support/report.ts';
import { withoutSsh } from '../../../support/ssh.ts';
import { noMachine } from '../qemu/boot.ts';
import { startEmulatedBoard } from './emulated-board.ts';

const nightly = process.env['LAB_NIGHTLY'] ? false : 'set LAB_NIGHTLY=1 for what takes minutes under emulation';
/** The Raspberry Pi's own model takes twice as long as the one made for emulation. */
const model = nightly ? 'virt' : 'raspi4b';
const reason = (await noMachine(model)) || (withoutSsh() ?? false);
process.env['XDG_CONFIG_HOME'] = t.testdir();

/** A board that says nothing any more is missed by the connection itself or by a command that was under way. */
const vanished = /the connection to pi is lost|the connection to pi dropped while a command ran/;

/** A QEMU whose serial line is a pseudo-terminal at `device`, as a cable to a board is. */
const withSerialLine = async (file: string, device: string): Promise<string> => {
  const tools = await fetchTools('qemu');
  const { file: program, args } = tools.program('usr/bin/qemu-system-aarch64');
  const line = (id: string) => `arg=pty,id=${id},path=${device},logfile=console.log`;
  const consoles = { console: 'file,id=console,*', shell: 'socket,id=shell,*,logfile=*' };
  const cases = Object.entries(consoles).map(([id, pattern]) => `${pattern}) ${line(id)};;`);
  const replaced = `case "$arg" in ${cases.join(' ')} esac`;
  const script = `for arg; do shift; ${replaced}; set -- "$@" "$arg"; done\nexec ${commandLine([program, ...args])} "$@"\n`;
  await fs.writeFile(file, `#!/bin/sh\n${script}`, { mode: 0o755 });
  return file;
};

/** Ids of processes that have `word` among their arguments. */
const processesOf = async (word: string): Promise<readonly number[]> => {
  const pids = (await fs.readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const command = await fs.readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return command.split('\0').includes(word) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
};

t.test('an emulated board stands for a real one', { skip: reason, timeout: 5_400_000 }, async (t) => {
  await using world = await labWorld();
  const serial = path.join(world.temporary, 'serial');
  const qemu = await withSerialLine(path.join(world.temporary, 'qemu'), serial);
  await using board = await startEmulatedBoard(world.temporary, { machine: model, qemu });
  const { machine } = board;
  const definition = { ...board.definition, serial };
  await fs.rm(hostKeyFile('pi'), { force: true });
  saveMachine('pi', definition);
  const scenario = (name: string, seconds: number): readonly string[] => {
    const options = ['--machine', 'pi', '--duration', String(seconds), '--json', '--reports', world.reports];
    return ['scenario', name, ...options];
  };
  const run = (name: string): Promise<LabEnded> => world.run(scenario(name, 5));
  /** A run that is under way: its load is on, and goes on for long. */
  const underLoad = async (): Promise<LabProcess> => {
    const lab = world.start(scenario('bridged', 60));
    await lab.says(/HTTP from the lab/);
    return lab;
  };
  // without the addresses that the network's router gives: they come when it says so
  // a module that was loaded stays loaded, and so does the device that sit makes by itself
  const traces = (): Promise<string> =>
    execOk(machine, [
      'sh',
      '-c',
      'find /etc /var /run /tmp /root -not -name "*_host_key"; cat /etc/oakestra/conf.json; ip -brief address show permanent | grep -v "^sit0@"; nft list ruleset',
    ]);
  const failsAsLab = ({ code, stdout, stderr }: LabEnded, message: RegExp) => {
    t.equal(code, 3, { stderr });
    t.match(printedResults(stdout).results, { verdict: 'error', run: { failure: { message } } });
  };
  await machine.writeFile('/etc/oakestra/conf.json', '{"cluster_address": "10.99.0.1", "cluster_port": 10100}\n');
  await machine.writeFile('/var/lib/oakestra/state', 'of another cluster\n');
  const before = await traces();

  await t.test('with our image: the worker as it is installed, and its own configuration afterwards', async (t) => {
    const { code, stdout, stderr } = await run('bridged');
    t.equal(code, 0, { stderr });
    const { results } = printedResults(stdout);
    t.match(results.machine, { name: 'pi', architecture: 'aarch64', fidelity: 'emulated' });
    t.strictSame(
      results.run.metrics.filter(({ kind }) => kind === 'performance'),
      [],
      'an emulator is known for what it is',
    );
    t.match(results.run.condition, { 'address bits': { before: '48', after: '48' }, storage: { before: /overlay/ } });
    t.ok(results.run.logs.some(({ name }) => name === 'console'));
    t.equal(await traces(), before);
  });

  await t.test('a card that is read-only or full is refused, and left as it is', async (t) => {
    await execOk(machine, ['mount', '-t', 'tmpfs', '-o', 'size=1M', 'full', '/var/lib']);
    failsAsLab(await run('bridged'), /pi cannot be used, storage: its disk is full: 1 MB free/);
    await execOk(machine, ['mount', '-o', 'remount,ro', '/var/lib']);
    failsAsLab(await run('bridged'), /pi cannot be used, storage: its root file system is read-only/);
    const doctor = await world.run(['doctor', '--machine', 'pi']);
    t.equal(doctor.code, 3);
    t.match(doctor.stdout, /✓ serial console: [\s\S]*✗ storage: [\s\S]*remount,rw/);
    await execOk(machine, ['umount', '/var/lib']);
    t.equal(await traces(), before);
  });

  await t.test('a lab that is killed: the next run gives the board its own back', { skip: nightly }, async (t) => {
    const lab = await underLoad();
    lab.child.kill('SIGKILL');
    await lab.ended;
    t.match(await traces(), /oakestra-lab\/kept/);
    const { code, stderr } = await run('veth');
    t.equal(code, 0, { stderr });
    t.equal(await traces(), before);
  });

  await t.test(
    'a board that hangs is gone; its power command brings it back for the next run',
    { skip: nightly },
    async (t) => {
      const [pid = 0] = await processesOf(`lab-${board.id}`);
      const lab = await underLoad();
      process.kill(pid, 'SIGSTOP');
      failsAsLab(await lab.ended, vanished);
      saveMachine('pi', { ...definition, powerCycle: ['kill', '-CONT', String(pid)] });
      const { code, stdout, stderr } = await run('bridged');
      t.equal(code, 0, { stderr });
      t.match(printedResults(stdout).results.run.notes, [/its power was taken away and given back/]);
      saveMachine('pi', definition);
      t.equal(await traces(), before);
    },
  );

  await t.test('with any other system: the worker is carried over', { skip: nightly }, async (t) => {
    await execOk(machine, ['mv', '/usr/bin/NodeEngine', '/usr/bin/NodeEngine.away']);
    const { code, stdout, stderr } = await run('bridged');
    await execOk(machine, ['mv', '/usr/bin/NodeEngine.away', '/usr/bin/NodeEngine']);
    t.equal(code, 0, { stderr });
    t.match(printedResults(stdout).results, { verdict: 'passed', run: { firstAnswer: { status: 200 } } });
    t.equal(await traces(), before);
  });

  await t.test(
    'a kernel that panics is noted from its console, and the lab is at fault',
    { skip: nightly },
    async (t) => {
      const lab = await underLoad();
      machine.exec(['sh', '-c', 'echo c >/proc/sysrq-trigger']).catch(() => {});
      const ended = await lab.ended;
      failsAsLab(ended, vanished);
      t.match(printedResults(ended.stdout).results.run.notes.join('\n'), /the kernel panicked \(console: /);
    },
  );
});
