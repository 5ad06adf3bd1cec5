/**
 * The half of the overlay's bench that is in the guest, `node lab.cjs LINE`: two nodes on one segment, and what it costs
 * from an instance on one to an instance on the other by each way. Records leave on the serial line LINE.
 */
import fs from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { guestMachine } from '../../../lab/machine/deterministic/guest.ts';
import { recordMark } from '../../../lab/machine/deterministic/records.ts';
import { userNetwork } from '../../../lab/machine/user-network.ts';
import { messageOf } from '../../../lab/system/errors.ts';
import { type NodeName, setUpBoards } from '../../../test/support/boards.ts';
import { addresses, startTableCluster } from '../../../test/support/cluster/table.ts';
import { parseJson } from '../../../worker/contract/check.ts';
import { timeoutOption } from '../../../worker/node-engine/runtime/wasmtime/options.ts';
import { crowdOf, serviceName, withCrowd } from './crowd.ts';
import { type PlainWay, plainAddress, plainNetwork, plainTask, plainWays, withoutPlain } from './plain.ts';
import { Costs, files, type OverlayRecord, type Size, type Way } from './records.ts';

/** As a worker starts it, whose compiled components can be stopped. */
const limit = timeoutOption(60).join(' ');
const nodes: readonly NodeName[] = ['a', 'b'];
const client = `node --single-threaded --max-semi-space-size=1 ${files.client}`;

/** The first one is as NetManager makes it by itself, without a journal from before. */
const sizes: readonly [Size, ...Size[]] = [
  { services: 1, peers: 1 },
  { services: 1000, peers: 1 },
  { services: 100, peers: 1 },
  { services: 100, peers: 8 },
  { services: 100, peers: 32 },
  { services: 1000, peers: 32 },
];

const measureAll = async (write: (record: OverlayRecord) => void): Promise<void> => {
  const say = (text: string) => write({ say: text });
  const machine = guestMachine('virt', '', new Set());
  await using cluster = await startTableCluster({ host: userNetwork.lab });
  const boards = await setUpBoards(machine, cluster.port, await machine.readFile('/usr/lib/oakestra/net-manager.cjs'));

  /** Serves requests and takes bytes in an instance of node b. */
  const serve = async (task: string): Promise<void> => {
    const service = `wasmtime serve -S cli ${limit} --allow-precompiled --addr 0.0.0.0:80 ${files.service}`;
    for (const command of [service, `${client} sink`])
      await boards.inNode('b', `${command} >>/root/served.log 2>&1 </dev/null & echo $! >>/root/served`, task);
  };

  const measure = async (way: Way, task: string, host: string): Promise<void> => {
    const link = `$(ip route show default | sed 's/.* dev //; s/ .*//')`;
    await boards.inNode('a', `ip link set ${link} gso_max_segs 1`, task);
    const ask = `got=$(curl -sSfo /dev/null -m 8 http://${host}/ 2>&1) && exit`;
    const reached = `for i in $(seq 60); do ${ask}; sleep 1; done; echo "$got"; cat /root/served.log; exit 1`;
    await boards.inNode('a', reached, task);
    // What NetManager does beside, such as to ask after a thousand services once a minute, is no cost of a packet.
    const isRunning = typeof way !== 'string';
    if (isRunning) for (const name of nodes) await boards.kill(name, 'STOP');
    const printed = await boards.inNode('a', `${client} ${host}`, task);
    if (isRunning) for (const name of nodes) await boards.kill(name, 'CONT');
    write({ way, costs: parseJson(Costs, printed, `what the client printed of ${JSON.stringify(way)}`) });
  };

  /** Waits until each node's tables have the size, and nobody asks the cluster any more. */
  const settled = async ({ services, peers }: Size): Promise<void> => {
    for (let seen = -1; seen !== cluster.queries.length; await delay(5_000)) seen = cluster.queries.length;
    for (const name of nodes) {
      const listing = 'nft list map inet oakestra_overlay pick4 | grep -o goto | wc -l; ip -o link | grep -c oaknode';
      const found = (await boards.inNode(name, listing)).trim().split(/\s+/).map(Number);
      if (found[0] !== services + 1 || found[1] !== peers)
        throw new Error(`node ${name} has ${found.join(' services, its own too, and ')} other nodes`);
    }
  };

  say('bare and VXLAN');
  for (const name of nodes) await boards.inNode(name, plainNetwork(name));
  await serve(plainTask);
  for (const way of Object.keys(plainWays) as PlainWay[]) {
    for (const name of nodes) await boards.inNode(name, plainWays[way](name));
    await measure(way, plainTask, plainAddress.b);
  }
  await boards.sh('kill $(cat /root/served)');
  for (const name of nodes) await boards.inNode(name, withoutPlain);

  const [caller, called] = [`${serviceName(1)}.instance.0`, `${serviceName(2)}.instance.0`];
  const host = addresses(2).any.v4;
  const [smallest, ...larger] = sizes;
  say('NetManager on both nodes');
  for (const name of nodes) {
    await boards.start(name);
    for (let status = ''; !status.endsWith('200'); ) status = (await boards.register(name)).trim();
  }
  for (const [name, service] of [
    ['a', 1],
    ['b', 2],
  ] as const) {
    const answer = await boards.deploy(name, serviceName(service), 0);
    if (!answer.trim().endsWith('200')) throw new Error(`node ${name} did not deploy: ${answer}`);
  }
  await serve(called);
  await measure(smallest, caller, host);
  await settled(smallest);
  for (const size of larger) {
    say(`services ${size.services}, other nodes ${size.peers}`);
    const crowd = crowdOf(size);
    for (const { name, rows } of crowd) for (const row of rows) await cluster.place(name, row);
    for (const name of nodes) await boards.kill(name);
    for (const name of nodes) {
      const journal = `/root/${name}/state/journal.json`;
      await machine.writeFile(journal, withCrowd(`${await machine.readFile(journal)}`, name, crowd));
      await boards.start(name);
    }
    await settled(size);
    await measure(size, caller, host);
    await settled(size);
  }
};

const main = async (): Promise<void> => {
  const line = fs.openSync(process.argv[2] ?? '', fs.constants.O_WRONLY | fs.constants.O_NOCTTY);
  const write = (record: OverlayRecord) => fs.writeFileSync(line, `${recordMark}${JSON.stringify(record)}\n`);
  try {
    await measureAll(write);
  } catch (error) {
    write({ error: messageOf(error) });
  }
  process.exit();
};

void main();
