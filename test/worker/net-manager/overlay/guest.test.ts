import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { buildWorker } from '../../../../lab/image/worker-bundle.ts';
import { deadline, until } from '../../../../lab/system/wait.ts';
import { boot, noMachine } from '../../../lab/machine/qemu/boot.ts';
import { nodeAddress, setUpBoards } from '../../../support/boards.ts';
import { addresses, startTableCluster } from '../../../support/cluster/table.ts';
import { privateCache } from '../../../support/files/private.ts';
import { removeFolder } from '../../../support/files/remove.ts';

const reason = await noMachine();
const nightly = { skip: process.env['LAB_NIGHTLY'] ? false : 'set LAB_NIGHTLY=1 to try bad input and a kill' };
const service = (number: number) => `app.ns.s${number}.ns`;
const task = (number: number, instance = 0) => `${service(number)}.instance.${instance}`;

/** Counts datagrams of the overlay that carry one bare packet between these inner addresses, byte by byte. */
const wireRule = (source: string, destination: string): string => {
  const word = (address: string) =>
    `0x${address
      .split('.')
      .map((part) => Number(part).toString(16).padStart(2, '0'))
      .join('')}`;
  return `udp dport 50103 @th,64,8 0x45 @th,160,32 ${word(source)} @th,192,32 ${word(destination)} counter`;
};

t.test('services of two boards', { skip: reason, timeout: 1_500_000 }, async (t) => {
  await using stack = new AsyncDisposableStack();
  stack.use(await privateCache());
  const bundle = await mkdtemp(join(tmpdir(), 'overlay-'));
  stack.defer(() => removeFolder(bundle));
  const cluster = stack.use(await startTableCluster());
  const { machine } = stack.use(await boot());
  await buildWorker(bundle);
  const boards = await setUpBoards(machine, cluster.port, await readFile(join(bundle, 'net-manager.cjs')));
  stack.defer(async () => {
    if (!t.passing()) for (const name of ['a', 'b'] as const) t.comment(await boards.log(name));
  });
  await boards.inNode('b', `nft 'table ip wire { chain seen { type filter hook prerouting priority -400; }; }'`);
  for (const [source, destination] of [
    ['10.30.1.1', '10.18.0.66'],
    ['10.30.1.1', '10.30.2.1'],
  ] as const)
    await boards.inNode('b', `nft 'add rule ip wire seen ${wireRule(source, destination)}'`);
  await boards.start('a');
  await boards.start('b', { WasmTopology: 'veth' });
  for (const name of ['a', 'b'] as const)
    for (let status = ''; !status.endsWith('200'); ) status = (await boards.register(name)).trim();
  t.match(await boards.deploy('a', service(1), 0), /200$/);
  t.match(await boards.deploy('b', service(2), 0), /200$/);
  await boards.serve('a', task(1), 'one');
  await boards.serve('b', task(2), 'two');
  const getting = (url: string, expected: string) => boards.getting('a', task(1), url, expected);

  await t.test('answer each other by service address and by instance address, in both families', async (t) => {
    const { any, of } = addresses(2);
    for (const host of [any.v4, of(0).v4, `[${any.v6}]`, `[${of(0).v6}]`])
      t.equal(await getting(`http://${host}/`, 'two'), 'two', host);
    const back = `http://${addresses(1).any.v4}/`;
    t.equal(await boards.getting('b', task(2), back, 'one'), 'one', 'and the other way round');
    t.equal(await getting(back, 'one'), 'one', 'an instance reaches its own service');
  });

  await t.test('so does a service that comes to a board which is known already', async (t) => {
    t.match(await boards.deploy('a', service(3), 0), /200$/);
    const { any, of } = addresses(2);
    for (const host of [any.v4, `[${of(0).v6}]`])
      t.equal(await boards.getting('a', task(3), `http://${host}/`, 'two'), 'two', host);
  });

  await t.test('instances of both boards share a service address, over UDP too, until one goes', async (t) => {
    const places = { near: 'a', far: 'b', farther: 'b' } as const;
    const texts = Object.keys(places) as (keyof typeof places)[];
    for (const [instance, text] of texts.entries()) {
      t.match(await boards.deploy(places[text], service(4), instance), /200$/);
      await boards.serve(places[text], task(4, instance), text);
    }
    const { any } = addresses(4);
    const answering = (expected: readonly string[]) =>
      until(
        async () => {
          const asked = await boards.asked('a', task(1), [any.v4, any.v6]);
          return asked.every((each) => isDeepStrictEqual(each, expected)) ? asked : undefined;
        },
        deadline(600_000, `answers of ${expected.join(', ')} alone`),
      );
    await answering(texts.toSorted());
    await boards.keepAsking('a', task(1), [any.v4, any.v6]);
    await cluster.remove(service(4), 1);
    await answering(['farther', 'near']);
    await cluster.remove(service(4), 0);
    await answering(['farther']);
    const heard = async () => {
      const last = await boards.lastAnswers('a');
      return last.every((text) => text === 'farther') ? last : undefined;
    };
    const all = await until(heard, deadline(300_000, 'answers to sockets that never cease to ask'));
    t.equal(all.length, 16, 'sockets that never cease to ask reach it, too');
  });

  await t.test('send bare packets from an instance address to a namespace address', async (t) => {
    const counts = (await boards.inNode('b', 'nft list chain ip wire seen')).match(/packets \d+/g) ?? [];
    t.not(counts[0], 'packets 0', 'as the contract has it');
    t.same(counts.slice(1), ['packets 0'], 'and in no other way');
  });

  await t.test(
    'an address that nobody has is refused, and what is forged is dropped and counted',
    nightly,
    async (t) => {
      t.match(await boards.get('a', task(1), 'http://10.30.9.9/'), /Failed to connect/);
      for (const [source, destination, first = '45'] of [
        ['10.30.7.7', '10.18.0.66'],
        ['10.30.2.1', '10.18.0.66'],
        ['10.30.1.1', '10.18.0.1'],
        ['10.30.1.1', '10.18.0.66', '05'],
      ] as const)
        await boards.forge('a', nodeAddress.b, { source, destination, first });
      const expected = { forged: 1, looping: 1, foreign: 1, malformed: 1 };
      const counted = async () => {
        const counters = await boards.counters('b');
        return Object.keys(expected).every((name) => counters[name]) ? counters : undefined;
      };
      t.match(await until(counted, deadline(300_000, 'the counters')), expected);
    },
  );

  await t.test('connections go on while NetManager is killed and comes back', nightly, async (t) => {
    await boards.hold('a', task(1), addresses(2).any.v4);
    for (const name of ['a', 'b'] as const) await boards.kill(name);
    await boards.start('a');
    await boards.start('b', { WasmTopology: 'veth' });
    t.equal(await getting(`http://${addresses(2).any.v4}/`, 'two'), 'two');
    t.equal(await boards.held('a'), '', 'the connection that stood goes on');
    await cluster.remove(service(2), 0);
    t.match(await boards.held('a', 20), /ECONNRESET/, 'and is reset when its instance has gone');
  });
});
