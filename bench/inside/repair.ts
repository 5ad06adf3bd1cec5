// node bench/inside/repair.ts FOLDER OUTPUT, in namespaces of its own: measures how soon changes by others are undone.
import { writeFile } from 'node:fs/promises';
import { deadline, until } from '../../lab/system/wait.ts';
import { makeLab } from '../../test/conformance/world/namespaces.ts';
import { wasm } from '../../test/conformance/world/requests.ts';
import { openWorld, type World } from '../../test/conformance/world/world.ts';
import { run } from '../../test/support/network.ts';
import { atMost, type Figure } from '../figure.ts';

const rounds = 7;
const backMs = 60_000;
const targetSeconds = 5;
const [folder = '', output = ''] = process.argv.slice(2);

/** What another program does to the board, and the command whose output tells when that is undone. */
const harms = {
  'a flushed address': { harm: 'ip addr flush dev goProxyBridge', look: 'ip -o addr show dev goProxyBridge' },
  'flushed rules': { harm: 'nft flush ruleset', look: 'nft list table inet oakestra' },
  'a cleared ip_forward': { harm: 'echo 0 >/proc/sys/net/ipv4/ip_forward', look: 'cat /proc/sys/net/ipv4/ip_forward' },
} as const;

const median = (samples: readonly number[]): number =>
  samples.toSorted((a, b) => a - b)[Math.floor(samples.length / 2)] ?? Number.NaN;

const measure = async ({ board }: World): Promise<readonly Figure[]> => {
  const shell = (script: string): Promise<string> => run(...board.here, 'sh', '-c', script).catch(() => '');
  const figures: Figure[] = [];
  for (const [what, { harm, look }] of Object.entries(harms)) {
    const state = async () => (await shell(look)).replaceAll(/ valid_lft.*$/gm, '');
    const before = await state();
    const samples: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const began = performance.now();
      await shell(harm);
      await until(async () => (await state()) === before || undefined, deadline(backMs, `restoring ${what}`));
      samples.push((performance.now() - began) / 1000);
    }
    figures.push(atMost(`${what} is back, bridged, p50`, median(samples), 's', targetSeconds));
  }
  return figures;
};

makeLab(folder);
await using world = await openWorld(folder, { topology: 'bridged', dialect: '403' });
const manager = await world.netManager();
const reply = await manager.post('/wasm/deploy', wasm(0, '9000:80'));
if (reply.status !== 200) throw new Error(`the deployment was answered ${reply.status}: ${reply.text}`);
await writeFile(output, JSON.stringify(await measure(world)));
