import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { keptBoard } from '../../../lab/commands/kept/kept.ts';
import { keptRuns, openRun, removeRun } from '../../../lab/system/runs.ts';
import { privateCache } from '../../support/files/private.ts';

/** A kept run with boards of these names. */
const keepRun = async (what: string, boards: readonly string[]) => {
  const run = await openRun(what);
  for (const board of boards) await fs.mkdir(path.join(run.folder, board));
  await run.keep();
  return run;
};

t.test('of several kept boards one has to be named; one that is alone needs no name', async (t) => {
  await using _ = await privateCache();
  const two = await keepRun('overlay on virt', ['board-1', 'board-2', 'segment']);
  t.match(await keptBoard(two.id, 'board-2'), {
    id: two.id,
    folder: path.join(two.folder, 'board-2'),
    what: 'overlay on virt, board-2',
  });
  await t.rejects(keptBoard(two.id, undefined), {
    fault: 'usage',
    message: `which board? ${two.id} (overlay on virt) has board-1, board-2`,
    next: ['--board board-1'],
  });
  await t.rejects(keptBoard(two.id, '../board-1'), { fault: 'usage', message: /^no board '\.\.\/board-1': / });
  const one = await keepRun('bridged on virt', []);
  t.match(await keptBoard(one.id, undefined), { id: one.id, folder: one.folder });
  await t.rejects(keptBoard(one.id, 'board-1'), { fault: 'usage', message: /is one board: leave out --board/ });
  for (const run of await keptRuns()) await removeRun(run);
});
