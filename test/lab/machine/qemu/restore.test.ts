import fs from 'node:fs/promises';
import t from 'tap';
import { cachePath } from '../../../../lab/system/files/cache.ts';
import { privateCache } from '../../../support/files/private.ts';
import { boot, noMachine } from './boot.ts';
import { goesOn, ownThings, sh } from './saved.ts';

const reason = await noMachine();
const savedFiles = () => fs.readdir(cachePath('saved-boots'));

t.test('a board that was booted once is restored', { skip: reason }, async (t) => {
  await using _ = await privateCache();
  const notes: string[] = [];
  const saving = { fresh: false, note: (text: string) => void notes.push(text) };
  const seen: (readonly string[])[] = [];

  await t.test('the first one is booted, and goes on after it was saved', async (t) => {
    await using board = await boot(saving);
    t.equal(board.machine.start, 'booted');
    t.equal((await savedFiles()).length, 1);
    await goesOn(t, board.machine);
    seen.push(await ownThings(board.machine));
  });

  await t.test('two at once are restored from it, and have nothing in common that must be their own', async (t) => {
    await using first = await boot(saving);
    await using second = await boot(saving);
    for (const { machine } of [first, second]) {
      t.equal(machine.start, 'restored');
      t.match(machine.command?.join(' '), /-incoming defer/);
      await goesOn(t, machine);
      seen.push(await ownThings(machine));
    }
    await sh(first.machine, 'echo mine >/root/mine');
    await t.rejects(second.machine.readFile('/root/mine'), 'what one writes the other has not');
    const all = seen.flat();
    t.equal(new Set(all).size, all.length, all.join(''));
  });

  await t.test('a fresh one is booted all the same, and leaves what was saved', async (t) => {
    await using board = await boot({ ...saving, fresh: true });
    t.equal(board.machine.start, 'booted');
    await t.rejects(board.machine.readFile('/root/mine'));
    t.equal((await savedFiles()).length, 1);
  });
  t.strictSame(notes, [], 'nothing was in the way');

  await t.test('a damaged one is noticed and said, the board is booted, and saved anew', async (t) => {
    const [name = ''] = await savedFiles();
    {
      await using file = await fs.open(cachePath('saved-boots', name), 'r+');
      const { size } = await file.stat();
      await file.write('damaged', Math.floor(size / 2));
    }
    {
      await using board = await boot(saving);
      t.equal(board.machine.start, 'booted');
      t.match(notes, [/could not be used and was removed .*digest/]);
      const [anew = ''] = await savedFiles();
      t.not(anew, name);
    }
    await using board = await boot(saving);
    t.equal(board.machine.start, 'restored');
    await goesOn(t, board.machine);
  });
});
