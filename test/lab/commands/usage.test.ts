import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import Type from 'typebox';
import { scenarioNames } from '../../../lab/scenario/find.ts';
import { parseJson } from '../../../worker/contract/check.ts';
import { labWorld } from '../../support/lab.ts';

const hello = fileURLToPath(new URL('../../../fixtures/hello-wasi-http/hello-wasi-http.wasm', import.meta.url));
const world = await labWorld();
t.teardown(() => world[Symbol.asyncDispose]());

t.test('a wrong word is answered with the nearest right one, and exit code 64', async (t) => {
  const cases: readonly (readonly [args: readonly string[], message: RegExp])[] = [
    [['scenario', 'brigded'], /no scenario 'brigded' \(did you mean 'bridged'\?/],
    [['scenario', 'bridged', '--machine', 'vrit'], /no machine 'vrit' \(did you mean 'virt'\?/],
    [['scenario', 'bridged', '--machin', 'virt'], /unknown option '--machin'[\s\S]*--machine/],
    [['scenaro'], /unknown command 'scenaro'[\s\S]*scenario/],
    [['scenario', 'bridged', '--duration', '0'], /whole number from 1/],
    [['scenario', 'bridged', '--image', 'foo'], /Allowed choices are debian, buildroot/],
    [
      ['scenario', 'bridged', '--machine', 'local', '--image', 'buildroot'],
      /local is not emulated: leave out --image,/,
    ],
    [['scenario', 'bridged', '--machine', 'local', '--fresh'], /local is not emulated: .*--fresh/],
    [['scenario', 'bridged', '--machine', 'local', '--accel', 'tcg'], /local is not emulated: .*--accel/],
    [['scenario', 'bridged', '--accel', 'hvf'], /Allowed choices are auto, tcg, kvm/],
    [
      ['scenario', 'bridged', '--machine', 'raspi4b', '--accel', 'kvm'],
      /raspi4b is a board that QEMU can only emulate/,
    ],
    [['scenario', 'bridged', '--deterministic', '--accel', 'kvm'], /which TCG alone can: leave out --accel kvm/],
    [
      ['scenario', 'bridged', '--deterministic', '--machine', 'virt-x86_64'],
      /cannot count instructions: use --machine virt/,
    ],
    [['scenario', 'bridged', '--machine', 'virt-x86_64', '--image', 'buildroot'], /for virt and raspi4b alone/],
    [['up', '--accel', 'tcg'], /local is not emulated: leave out --accel/],
    [['suite', 'bridged', '--accel', 'kvm'], /no machine here is emulated: leave out --image and --accel/],
    [['scenario', 'bridged', '--deterministic', '--fresh'], /a deterministic run takes no --fresh/],
    [['scenario', 'bridged', '--boot', 'sd'], /only the machine raspi4b boots from an SD card/],
    [['scenario', 'bridged', '--qemu', '/nowhere/qemu'], /--qemu \/nowhere\/qemu cannot be read/],
    [['scenario', 'bridged', '--image', 'buildroot', '--wasmtime', '49.0.0'], /leave out --wasmtime/],
    [['image', 'build', 'debian', '--board', 'raspi5'], /Allowed choices are virt, raspi4/],
    [['suite', 'bridged', '--image', 'buildroot'], /no machine here is emulated: leave out --image/],
    [['suite', '--machine', 'lokal'], /no machine 'lokal' \(did you mean 'local'\?/],
    [['up', 'triangle'], /Allowed choices are bridged, veth/],
    [['up', '--machine', 'local', '--join', 'c'], /a board on local reaches this computer alone[\s\S]*--machine virt/],
    [['up', '--public-address', '192.0.2.1'], /add --join/],
    [['up', '--join', 'http://c:10100'], /has a scheme: write 'c'/],
    [['report', 'shwo'], /no command 'report shwo' \(did you mean 'show'\?/],
    [['report', 'list', '--sort', 'colour'], /Allowed choices are started, scenario/],
    [['scenario', 'bridged', '--pause', 'x', '--json'], /--pause and --json exclude each other/],
    [['scenario', 'bridged', '--deterministic', '--pause', 'x'], /a deterministic run takes no --pause/],
    [['plan', 'ring'], /Allowed choices are bridged, veth/],
    [['scenario', 'bridged', '--connections', 'many'], /whole number from 1/],
    [['scenario', 'bridged', 'twice'], /too many arguments/],
    [['scenario'], /name a scenario/],
    [
      ['scenario', 'bridged', '--expect-body', 'x'],
      /--expect-body can be used only with --app[\s\S]*--app \.\/my-service\.wasm/,
    ],
    [['scenario', 'bridged', '--path', '/x'], /--path can be used only with --app/],
    [['scenario', 'bridged', '--expect-status', '404'], /--expect-status can be used only with --app/],
    [['scenario', 'bridged', '--any-body'], /--any-body can be used only with --app/],
    [['scenario', 'bridged', '--app', hello, '--path', 'x'], /a path that begins with \//],
    [['scenario', 'bridged', '--app', hello, '--path', '/a b'], /without blanks/],
    [['scenario', 'bridged', '--app', hello, '--expect-status', '99'], /whole number from 200 to 599/],
    [
      ['scenario', 'bridged', '--app', hello, '--any-body', '--expect-body', 'x'],
      /--expect-body and --any-body exclude each other/,
    ],
    [['scenario', 'bridged', '--app', hello, '--expect-body-file', '/nowhere/x'], /--expect-body-file cannot be read/],
    [['scenario', 'rust', '--app', hello], /rust deploys components of its own: leave out --app/],
    [['scenario', 'overlay', '--net-manager', hello], /overlay has the lab's own NetManager.*leave out --net-manager/],
    [['scenario', 'overlay-mixed', '--net-manager', '/nowhere/x'], /cannot read the NetManager \/nowhere\/x/],
    [['scenario', 'overlay-mixed', '--net-manager', hello], /it is no program[\s\S]*for aarch64/],
    [['image', 'build', 'debain'], /debain[\s\S]*debian/],
    [['exec', 'true'], /no machine was kept/],
    [['shell', '--id', 'nothing'], /no kept machine nothing/],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await world.run(args);
    t.equal(code, 64, args.join(' '), { stderr });
    t.match(stderr, message);
    t.equal(stdout, '');
    t.notMatch(stderr, /\n {4}at /, 'no stack');
  }
  t.strictSame(await world.leftovers(), []);
});

t.test('an app that cannot be served is refused before anything is booted', async (t) => {
  const app = async (name: string, bytes: Uint8Array | string): Promise<string> => {
    const file = path.join(world.reports, '..', name);
    await fs.writeFile(file, bytes);
    return file;
  };
  const component = await fs.readFile(hello);
  const cases: readonly (readonly [file: string, message: RegExp])[] = [
    [await app('text.wasm', 'this is text'), /text\.wasm cannot be served: /],
    [
      await app('module.wasm', Buffer.from('0061736d01000000', 'hex')),
      /module\.wasm cannot be served: it is a core module/,
    ],
    [await app('short.wasm', component.subarray(0, component.length - 100)), /short\.wasm cannot be served: /],
    ['/nowhere/x.wasm', /cannot read x\.wasm: ENOENT/],
  ];
  for (const [file, message] of cases) {
    const { code, stderr } = await world.run(['scenario', 'bridged', '--app', file]);
    t.equal(code, 64, { stderr });
    t.match(stderr, message);
    t.notMatch(stderr, /prepare the machine/);
  }
  t.strictSame(await world.leftovers(), []);
});

t.test('help is everywhere, says what there is, and is no failure', async (t) => {
  const { code, stdout } = await world.run(['--help']);
  t.equal(code, 0);
  const names = [...stdout.matchAll(/^ {2}([a-z]+) /gm)]
    .map(([, name]) => name ?? '')
    .filter((name) => name !== 'help');
  t.ok(
    ['scenario', 'image', 'doctor', 'clean', 'exec', 'shell'].every((name) => names.includes(name)),
    names.join(),
  );
  for (const args of [...names.map((name) => [name]), ['image', 'build'], ['image', 'lock'], ['image', 'list']]) {
    const help = await world.run([...args, '--help']);
    t.equal(help.code, 0, args.join(' '));
    t.match(help.stdout, new RegExp(`^Usage: lab ${args.join(' ')}`));
    t.equal(help.stderr, '');
  }
});

t.test('lists are for people, and with --json for programs', async (t) => {
  const Listed = Type.Array(
    Type.Object({ name: Type.String(), description: Type.String(), requires: Type.Array(Type.String()) }),
  );
  const json = await world.run(['scenario', '--list', '--json']);
  t.strictSame(
    parseJson(Listed, json.stdout, 'the list').map(({ name }) => name),
    [...(await scenarioNames())],
  );
  t.equal(json.stderr, '');
  const plain = await world.run(['scenario', '--list']);
  t.match(plain.stdout, /^bridged +\S/m);
  const Results = Type.Array(Type.Object({ name: Type.String(), ok: Type.Boolean(), detail: Type.String() }));
  const doctor = await world.run(['doctor', '--json']);
  const findings = parseJson(Results, doctor.stdout, 'findings');
  t.equal(doctor.code, findings.every(({ ok }) => ok) ? 0 : 3);
});

t.test('nothing is coloured where nobody looks', async (t) => {
  for (const args of [['scenario', '--list'], ['doctor'], ['clean'], ['scenario', 'brigded']]) {
    const { stdout, stderr } = await world.run(args);
    t.notOk(`${stdout}${stderr}`.includes('\u001b'), args.join(' '));
  }
});
