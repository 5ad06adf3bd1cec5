import t from 'tap';
import { saveState } from '../../../../lab/machine/qemu/saved/migration.ts';
import { deadline } from '../../../../lab/system/wait.ts';

/** An emulator whose migration never ends: what it was asked for, where the asker's signal still let it. */
const stuck = (asked: string[]) => ({
  request: async (execute: string, _: object = {}, signal?: AbortSignal): Promise<unknown> => {
    signal?.throwIfAborted();
    if (execute !== 'query-migrate') asked.push(execute);
    return { status: 'active' };
  },
});

t.test('a guest goes on also when its state could not be written in time', async (t) => {
  const asked: string[] = [];
  const soon = () => deadline(60_000, 'having it go on');
  await t.rejects(saveState(stuck(asked), 'state', AbortSignal.timeout(50), soon), { name: 'TimeoutError' });
  t.strictSame(asked, ['stop', 'migrate-set-parameters', 'migrate', 'migrate_cancel', 'cont']);
});
