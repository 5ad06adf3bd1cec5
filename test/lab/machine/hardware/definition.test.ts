import fs from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import {
  destinationOf,
  hostKeyFile,
  machineFile,
  parseDefinition,
} from '../../../../lab/machine/hardware/definition.ts';
import { masterArguments, noConnection } from '../../../../lab/machine/hardware/ssh/ssh.ts';
import { labWorld } from '../../../support/lab.ts';

process.env['XDG_CONFIG_HOME'] = t.testdir();
const file = machineFile('pi4');

t.test('a board is added, listed and removed', async (t) => {
  await using world = await labWorld();
  const add = ['machine', 'add', 'pi4', '--ssh', 'root@192.168.1.40', '--serial', '/dev/ttyUSB0'];
  const added = await world.run([...add, '--power-cycle', 'uhubctl -l 1-1 -a cycle']);
  t.equal(added.code, 0, { stderr: added.stderr });
  t.match(added.stdout, /doctor --machine pi4/);
  const { $schema, ...written } = JSON.parse(await fs.readFile(file, 'utf8')) as Readonly<Record<string, unknown>>;
  t.match(
    JSON.parse(await fs.readFile(new URL(String($schema)), 'utf8')),
    { anyOf: [{ required: ['ssh'] }, { required: ['labgrid'] }] },
    'editors check it',
  );
  t.strictSame(written, {
    ...{ ssh: 'root@192.168.1.40', serial: '/dev/ttyUSB0', powerCycle: ['uhubctl', '-l', '1-1', '-a', 'cycle'] },
  });
  t.match(
    (await world.run(['machine', 'list'])).stdout,
    /^pi4 +root@192\.168\.1\.40, serial \/dev\/ttyUSB0, power uhubctl/,
  );
  const again = await world.run(add);
  t.equal(again.code, 64);
  t.match(again.stderr, /there is a machine pi4 already/);
  for (const command of [['scenario', 'bridged'], ['doctor']]) {
    const mistaken = await world.run([...command, '--machine', 'pi5']);
    t.equal(mistaken.code, 64);
    t.match(mistaken.stderr, /no machine 'pi5' \(did you mean 'pi4'\?/);
  }
  const kept = await world.run(['scenario', 'bridged', '--machine', 'pi4', '--keep']);
  t.equal(kept.code, 64);
  t.match(kept.stderr, /cannot be left running/);
  await fs.writeFile(hostKeyFile('pi4'), 'pi4 ssh-ed25519 AAAA\n');
  t.equal((await world.run(['machine', 'remove', 'pi4'])).code, 0);
  t.strictSame(await fs.readdir(path.dirname(file)), [], 'the pinned host key is forgotten too');
  t.equal((await world.run(['machine', 'remove', 'pi4'])).code, 64);
});

t.test('a board of a labgrid place is added by the name of the place or by tags', async (t) => {
  await using world = await labWorld();
  const cases: readonly (readonly [given: string, written: object | string, listed: RegExp])[] = [
    ['pi4-1', 'pi4-1', /^pi4 +labgrid place pi4-1$/m],
    [
      'board=raspi4 site=lab1',
      { tags: { board: 'raspi4', site: 'lab1' } },
      /labgrid a place with board=raspi4 site=lab1$/m,
    ],
  ];
  for (const [given, written, listed] of cases) {
    const { code, stderr } = await world.run(['machine', 'add', 'pi4', '--labgrid', given]);
    t.equal(code, 0, stderr);
    const { $schema: _, ...content } = JSON.parse(await fs.readFile(file, 'utf8')) as Readonly<Record<string, unknown>>;
    t.strictSame(content, { labgrid: written });
    t.match((await world.run(['machine', 'list'])).stdout, listed);
    await world.run(['machine', 'remove', 'pi4']);
  }
});

t.test('what cannot be a machine is refused with what would be right', async (t) => {
  await using world = await labWorld();
  const cases: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [['machine', 'add', 'virt', '--ssh', 'root@x'], /virt is a machine of the lab's own/],
    [['machine', 'add', 'My Pi', '--ssh', 'root@x'], /'My Pi' is no name for a machine/],
    [['machine', 'add', '../x', '--ssh', 'root@x'], /is no name for a machine/],
    [['machine', 'add', 'pi4', '--ssh', '-oProxyCommand=x'], /ssh must match/],
    [['machine', 'add', 'pi4', '--ssh', 'root@x', '--port', '70000'], /whole number from 1 to 65535/],
    [['machine', 'add', 'pi4'], /--ssh .*--labgrid/],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await world.run(args);
    t.equal(code, 64, args.join(' '));
    t.match(stderr, message);
  }
});

t.test('a mistake in a machine file is named with the nearest key', async (t) => {
  await using world = await labWorld();
  const cases: readonly (readonly [text: string, message: RegExp])[] = [
    ['{"ssh": "root@x", "serail": "/dev/ttyUSB0"}', /pi4\.json: no key 'serail' \(did you mean 'serial'\?/],
    ['{"ssh": "root@x", "password": "secret"}', /no key 'password'/],
    ['{"ssh": 7}', /ssh must be string \(got 7\)/],
    ['{"port": 22}', /pi4\.json: it has neither "ssh" nor "labgrid"/],
    ['{"labgrid": "pi4-1", "port": 22}', /port belongs to ssh, which is missing/],
    ['{"labgrid": {"plcae": "pi4-1"}}', /labgrid: no key 'plcae' \(did you mean 'place'\?/],
    ['{"labgrid": {"coordinator": "farm"}}', /labgrid needs either "place" or "tags"/],
    ['{"labgrid": {"place": "pi4-1", "wait": -1}}', /labgrid\.wait must be >= 0/],
    ['{"labgrid": {"place": "pi4-1", "coordinator": "http://farm"}}', /labgrid\.coordinator must match/],
    ['{"labgrid": 7}', /labgrid must be string/],
    ['{"ssh": "root@x", "powerCycle": "uhubctl"}', /powerCycle must be array/],
    ['{', /pi4\.json: .*JSON/],
  ];
  for (const [text, message] of cases) {
    await fs.writeFile(file, text);
    const { code, stderr } = await world.run(['scenario', 'bridged', '--machine', 'pi4']);
    t.equal(code, 64, text);
    t.match(stderr, message);
    t.notMatch(stderr, /secret|\n {4}at /);
  }
});

t.test('whatever a path holds, ssh takes it as one value', async () => {
  // ssh_config(5): quotes keep spaces, %% is a percent sign
  const read = (value: string) => value.replace(/^"|"$/g, '').replaceAll('\\"', '"').replaceAll('%%', '%');
  fc.assert(
    fc.property(fc.stringMatching(/^\/[ -~]{1,40}$/), (control) => {
      const args = masterArguments('pi4', { ssh: 'root@x' }, control);
      const option = args.find((arg) => arg.startsWith('ControlPath=')) ?? '';
      return read(option.slice('ControlPath='.length)) === control && args.at(-1) === 'root@x' && args.at(-2) === '--';
    }),
    { seed: 5 },
  );
});

t.test("every trouble of ssh's is told apart, and only some pass by themselves", async (t) => {
  const cases: readonly (readonly [stderr: string, trouble: string, mayPass: boolean, message: RegExp])[] = [
    ['@@@\nHost key verification failed.\n', 'other-key', false, /another host key than the one that was pinned/],
    ['root@x: Permission denied (publickey).', 'forbidden', false, /does not let you in as root@x/],
    ['ssh: Could not resolve hostname x: Name or service not known', 'unknown-host', true, /no host by the name/],
    ['ssh: connect to host x port 22: Connection refused', 'refused', true, /no ssh answers/],
    ['kex_exchange_identification: read: Connection reset by peer', 'refused', true, /no ssh answers/],
    ['ssh: connect to host x port 22: No route to host', 'unreachable', true, /cannot be reached/],
    ['ssh: connect to host x port 22: Connection timed out', 'unreachable', true, /cannot be reached/],
    ['', 'unknown', true, /cannot be reached: ssh said nothing/],
  ];
  for (const [stderr, trouble, mayPass, message] of cases) {
    const fault = noConnection('pi4', { ssh: 'root@x' }, stderr);
    t.match(fault, { trouble, mayPass, message, fault: 'lab' });
    t.ok(fault.next.length > 0, 'says what to do');
  }
});

t.test('ssh is told a host and a port however they are written', async (t) => {
  const cases: readonly (readonly [string, number | undefined, readonly string[], string])[] = [
    ['root@10.0.0.1', undefined, [], 'root@10.0.0.1'],
    ['root@10.0.0.1:2222', undefined, ['-p', '2222'], 'root@10.0.0.1'],
    ['root@[fe80::1]', undefined, [], 'root@fe80::1'],
    ['root@[fe80::1%eth0]:2222', undefined, ['-p', '2222'], 'root@fe80::1%eth0'],
    ['[::1]:2222', undefined, ['-p', '2222'], '::1'],
    ['root@fe80::1', 2222, ['-p', '2222'], 'root@fe80::1'],
    ['::1', undefined, [], '::1'],
    ['pi4', 22, ['-p', '22'], 'pi4'],
  ];
  for (const [ssh, port, words, target] of cases) {
    const definition = port === undefined ? { ssh } : { ssh, port };
    t.strictSame(destinationOf(definition), { port: words, target }, ssh);
    const args = masterArguments('x', { ...parseDefinition(definition, 'x'), ssh }, '/run/c');
    t.strictSame(args.slice(args.indexOf('--')), ['--', target]);
  }
  t.throws(() => parseDefinition({ ssh: 'root@x:1', port: 2 }, 'x'), { fault: 'usage', message: /port 1.*port.* 2/ });
  t.equal(parseDefinition({ ssh: 'root@x:2', port: 2 }, 'x').port, 2);
});
