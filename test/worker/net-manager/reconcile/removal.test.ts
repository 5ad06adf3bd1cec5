import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { openJournal } from '../../../../worker/net-manager/journal.ts';
import { repairNode, setUpNode } from '../../../../worker/net-manager/kernel/node.ts';
import { consoleLog } from '../../../../worker/system/log.ts';
import { inSandbox } from '../sandbox.ts';
import { settingsWith } from '../settings.ts';

const instance = { service: 'app.ns.svc.ns', instance: 0, pid: 0, slot: 2, ports: [] };

/** How long a look that waits for nothing takes at most on an idle board, in ms. */
const lookMs = 2000;

inSandbox(import.meta.url, () => {
  t.test('an instance that is being removed is not one that has lost its network', async (t) => {
    const settings = settingsWith({ overlay: 'off' });
    const folder = await mkdtemp(join(tmpdir(), 'oakestra-removal-'));
    const journal = await openJournal(folder, consoleLog(false), join(folder, 'spare'));
    await setUpNode(settings, journal);
    const look = () => repairNode(settings, journal, 'all', AbortSignal.timeout(120_000));
    await look();
    await journal.update((contents) => ({ ...contents, entries: [{ instance, ready: true }] }));
    t.same((await look()).lost, [instance], 'one whose namespace another program removed is');
    let looking: ReturnType<typeof look> | undefined;
    await journal.lock.withReadLock(async () => {
      // its namespace has gone, and its end is not written down yet
      looking = look();
      await Promise.race([looking, delay(lookMs)]);
      await journal.update((contents) => ({ ...contents, entries: [] }));
    });
    t.same((await looking)?.lost, []);
  });
});
