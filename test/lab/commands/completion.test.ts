import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Command, Option } from 'commander';
import t from 'tap';
import { candidatesFor, fitting } from '../../../lab/commands/completion/candidates.ts';
import { labWorld } from '../../support/lab.ts';

const program = new Command('lab');
program
  .command('scenario')
  .argument('[name]')
  .addOption(new Option('--image <kind>').choices(['debian', 'buildroot']))
  .option('--machine <name>')
  .option('--app <file>')
  .option('-f, --follow')
  .option('--no-keep-alive');
program.command('report').command('diff').argument('<before>').argument('[after]');
program.command('hidden', { hidden: true });

t.test('a word may become what is right at its place', async (t) => {
  const cases: readonly (readonly [words: string, found: unknown])[] = [
    ['', { words: ['scenario', 'report', 'help'] }],
    ['sc', { words: ['scenario', 'report', 'help'] }],
    ['report ', { words: ['diff', 'help'] }],
    ['scenario ', { named: 'scenario' }],
    ['scenario --follow ', { named: 'scenario' }],
    ['scenario --app x ', { named: 'scenario' }],
    ['scenario bridged ', { words: [] }],
    ['scenario bridged --machine ', { named: 'machine' }],
    ['scenario --machine=v', { named: 'machine' }],
    ['scenario --machine = v', { named: 'machine' }],
    ['scenario --image ', { words: ['debian', 'buildroot'] }],
    ['scenario --app ', { words: [] }],
    ['scenario --no', { words: ['--image', '--machine', '--app', '--follow', '--no-keep-alive', '--help'] }],
    ['report diff a ', { named: 'report' }],
    ['report diff a b ', { words: [] }],
    ['unknown --nothing=x', { words: [] }],
  ];
  for (const [words, found] of cases) t.strictSame(candidatesFor(program, words.split(' ')), found, words);
});

t.test('what is said goes on from what was typed', async (t) => {
  t.strictSame(fitting(['virt', 'veth', 'local'], ['--machine', 'v']), ['virt', 'veth']);
  t.strictSame(fitting(['virt', 'veth', 'local'], ['--machine=vi']), ['--machine=virt']);
  t.strictSame(fitting(['virt'], ['--machine', '=']), ['virt']);
  t.strictSame(fitting(['virt'], []), ['virt']);
});

t.test('bash completes the words of the lab, and obeys none of them', async (t) => {
  await using world = await labWorld();
  const { code, stdout: script } = await world.run(['completion', 'bash']);
  t.equal(code, 0);
  const completed = async (...words: readonly string[]): Promise<readonly string[]> => {
    const look = `eval "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lab; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await promisify(execFile)('bash', ['-c', look, 'bash', script, ...words], { env: world.env });
    return stdout.split('\n').filter((line) => line !== '');
  };
  t.strictSame(await completed('lab', 'scen'), ['scenario']);
  t.strictSame(await completed('lab', 'scenario', 'bridged', '--machine', 'raspi'), ['raspi4b']);
  t.ok((await completed('lab', 'suite', '')).includes('bridged'));
  t.strictSame(await completed('lab', 'scenario', '$(touch obeyed)', '`touch obeyed`', 'x'), []);
  t.strictSame(await completed('lab', 'undeploy', ''), [], 'no lab stands');
  const { stdout: listed } = await promisify(execFile)('bash', ['-c', `${script}\nlab scenario --list`], {
    env: world.env,
  });
  t.match(listed, /^bridged /m, 'the command lab is there');
  t.match(await world.run(['completion', 'ksh']), { code: 64, stderr: /Allowed choices are bash, zsh, fish/ });
});
