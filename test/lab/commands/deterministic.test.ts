import t from 'tap';
import { labWorld } from '../../support/lab.ts';

const world = await labWorld();
t.teardown(() => world[Symbol.asyncDispose]());

t.test('options that do not go with a deterministic run are refused', async (t) => {
  const cases: readonly (readonly [args: readonly string[], code: number, message: RegExp])[] = [
    [['bridged', '--deterministic', '--machine', 'local'], 64, /local cannot count instructions: use --machine virt/],
    [['bridged', '--deterministic', '--duration', '3', '--rate', '5'], 64, /takes no --duration, no --rate/],
    [['bridged', '--deterministic', '--keep'], 64, /takes no --keep/],
    [['bridged', '--deterministic', '--image', 'buildroot'], 64, /takes no --image/],
    [['bridged', '--seeds', '3', '--verify'], 64, /--seeds and --verify belong to a deterministic run/],
    [['bridged', '--deterministic', '--seeds', '0'], 64, /whole number from 1/],
    [['overlay', '--deterministic'], 2, /overlay cannot run deterministically on virt: it takes 2 boards/],
  ];
  for (const [args, code, message] of cases) {
    const ended = await world.run(['scenario', ...args]);
    t.equal(ended.code, code, args.join(' '), { stderr: ended.stderr });
    t.match(ended.stderr, message);
    t.notMatch(ended.stderr, /\n {4}at /, 'no stack');
  }
});

t.test('a baseline is made and compared only of a report that there is', async (t) => {
  for (const args of [
    ['diff', '--baseline', 'nowhere'],
    ['baseline', 'nowhere'],
  ]) {
    const { code, stderr } = await world.run(['report', ...args, '--reports', world.reports]);
    t.equal(code, 64, { stderr });
    t.match(stderr, /no report at/);
  }
  const two = await world.run(['report', 'diff', '--baseline', 'one', 'two']);
  t.equal(two.code, 64);
  t.match(two.stderr, /with --baseline there is one report/);
  const one = await world.run(['report', 'diff', 'one']);
  t.equal(one.code, 64);
  t.match(one.stderr, /name two reports/);
});
