import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { commandLine } from '../../../lab/system/quote.ts';

const words = fc.string({ unit: 'binary' }).filter((word) => !word.includes('\0') && word.isWellFormed());
const hostile = [
  "'",
  '"$(id)"',
  '`id`',
  '\n',
  '',
  '-n',
  '~',
  '*',
  '\\',
  '#',
  '!!',
  'a=b',
  '{a,b}',
  '&',
  ';',
  '\r',
  '→',
];

for (const shell of ['/bin/sh', '/bin/dash', '/bin/bash', '/bin/busybox'].filter(existsSync))
  t.test(`a quoted word is one word to ${shell}, whatever is in it`, async () => {
    const args = shell.endsWith('busybox') ? ['sh', '-c'] : ['-c'];
    fc.assert(
      fc.property(fc.array(words, { minLength: 1, maxLength: 8 }), (list) => {
        const script = commandLine(['printf', '%s\\0', ...list]);
        const printed = execFileSync(shell, [...args, script], { encoding: 'utf8' });
        return printed === `${list.join('\0')}\0`;
      }),
      { seed: 5, numRuns: 100, examples: [[hostile]] },
    );
  });
