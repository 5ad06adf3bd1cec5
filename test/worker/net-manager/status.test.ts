import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { lockBoard } from '../../../worker/net-manager/board-lock.ts';
import type { Contents } from '../../../worker/net-manager/journal.ts';
import { nftBatch } from '../../../worker/net-manager/kernel/rules.ts';
import { hold, overlayTable } from '../../../worker/net-manager/plan/overlay/names.ts';
import { counters, overlayRules } from '../../../worker/net-manager/plan/overlay/ruleset.ts';
import { run } from './kernel.ts';
import { inSandbox } from './sandbox.ts';
import { settingsWith } from './settings.ts';

const entry = fileURLToPath(new URL('../../../worker/net-manager/main.ts', import.meta.url));

/** What a NetManager writes down before it makes the rules of its overlay. */
const contents: Contents = {
  subnet: { address: '10.10.0.0', addressv6: 'fc00::100' },
  topology: 'bridged',
  changed: {},
  entries: [],
  overlay: { services: [] },
};
const netcfg = { NodePublicAddress: '0.0.0.0', NodePublicPort: '50103', ClusterMqttPort: '10003' };

type Status = { readonly overlay: { readonly state: string; readonly reason?: string; readonly counters?: object } };

inSandbox(import.meta.url, () => {
  t.test('the status of a node whose rules are not there yet says so', async (t) => {
    const state = (journal: Contents) => ({ 'journal.json': JSON.stringify(journal) });
    const folder = t.testdir({ 'netcfg.json': JSON.stringify(netcfg), state: state(contents) });
    const status = async (): Promise<Status['overlay']> => {
      const places = ['--config', folder, '--state', `${folder}/state`];
      const { stdout } = await promisify(execFile)(process.execPath, [entry, '--status', ...places]);
      return (JSON.parse(stdout) as Status).overlay;
    };
    t.match(await status(), { state: 'stopped', reason: /no NetManager runs/ }, 'as after a reboot');

    using _running = await lockBoard(`${folder}/state`);
    t.match(await status(), { state: 'starting', reason: new RegExp(`PID ${process.pid}, .*not made the rules`) });

    await nftBatch([`table ${overlayTable} {}`]);
    t.match(await status(), { state: 'starting' }, 'one of the two tables is not enough');

    await run('ip', 'link', 'add', hold.near, 'type', 'veth', 'peer', 'name', hold.far);
    await nftBatch(overlayRules(settingsWith()));
    const { state: now, counters: counted } = await status();
    t.equal(now, 'on');
    t.match(counted, Object.fromEntries(counters.map((name) => [name, 0])));
  });
});
