import assert from 'node:assert/strict';
import { addresses } from '../../../support/cluster/table.ts';
import { type Checks, families, heardAt, port, reach, send } from './chapter.ts';
import { udpPacket } from './packets.ts';
import { happened } from './world.ts';

const texts = (label: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => `${label}, socket ${at}`);

/** How packets travel between instances on different boards. */
export const delivery: Checks = {
  '7.1': async (chapter) => {
    const { world, caller } = chapter;
    const [near] = world.peers;
    const called = await world.place(2, 0, near);
    for (const family of families) {
      // As long as the link to an instance carries: 1450 bytes with the headers of IPv6 and UDP.
      const text = `${family} ${'.'.repeat(1399)}`;
      send(chapter, addresses(2).any[family], text);
      const { from, bytes, packet } = await world.until('the datagram', () => heardAt(near, text));
      const { version, source, destination, destinationPort, length, isWhole } = packet;
      assert.equal(from, world.board.v4);
      assert.deepEqual(
        { version, source, destination, destinationPort, length, isWhole },
        {
          ...{ version: family === 'v4' ? 4 : 6, source: caller.own[family], destination: called.inner[family] },
          ...{ destinationPort: port, length: bytes.length, isWhole: true },
        },
      );
    }
  },

  '7.2': async (chapter) => {
    const { world } = chapter;
    const [near, far] = world.peers;
    await world.place(3, 0, near);
    const second = await world.place(3, 1, far);
    await reach(chapter, 3, far, 'so that it is known');
    for (const family of families) {
      const all = texts(`one instance, ${family}`, 12);
      for (const text of all) send(chapter, second.own[family], text);
      await world.until('all datagrams', () => all.every((text) => heardAt(far, text)) || undefined);
      for (const text of all) assert.equal(heardAt(far, text)?.packet.destination, second.inner[family]);
      assert.deepEqual(
        all.filter((text) => heardAt(near, text)),
        [],
      );
    }
  },

  '7.3': async (chapter) => {
    const { world, caller } = chapter;
    const [near] = world.peers;
    const calling = await world.place(4, 0, near);
    await reach(chapter, 4, near, 'so that it is known');
    caller.tell({ order: 'serve', name: 'served', port: 8000 });
    await world.until('the service', () => happened(caller, 'served', 'serves'));
    for (const [at, family] of families.entries()) {
      const text = `inward, ${family}`;
      const ends = { source: calling.own[family], destination: caller.inner[family] };
      await near.send(udpPacket({ ...ends, sourcePort: 4000, destinationPort: 8000 }, text), 40_000 + at);
      const { from } = await world.until('what was sent', () => happened(caller, 'served', 'asked', text));
      assert.equal(from, calling.own[family]);
      const answer = await world.until('the answer', () => heardAt(near, `served:${text}`));
      const { source, destination, sourcePort, destinationPort } = answer.packet;
      assert.deepEqual(
        { source, destination, sourcePort, destinationPort },
        { source: caller.own[family], destination: calling.inner[family], sourcePort: 8000, destinationPort: 4000 },
      );
    }
  },

  '7.4': async (chapter) => {
    const { world, caller } = chapter;
    const [near, far] = world.peers;
    const here = await world.deploy(5);
    here.tell({ order: 'serve', name: 'here', port });
    await world.until('the service', () => happened(here, 'here', 'serves'));
    await world.place(5, 1, near);
    await world.place(5, 2, far);
    await reach(chapter, 5, far, 'so that it is known');
    /** Where a text has arrived. */
    const placeOf = (text: string): string | undefined =>
      happened(here, 'here', 'asked', text) ? 'here' : [near, far].find((peer) => heardAt(peer, text))?.address;
    for (const family of families) {
      let rounds = 0;
      // Of so many connections each of three instances has one, but for once in ten million times.
      const sockets = await world.until('calls at all three instances', async () => {
        const all = texts(`pool, ${family}, round ${rounds}`, 40);
        rounds += 1;
        for (const text of all) send(chapter, addresses(5).any[family], text);
        await world.until('all datagrams', () => all.every(placeOf) || undefined);
        return new Set(all.map(placeOf)).size === 3 ? all : undefined;
      });
      const more = sockets.map((name) => [name, `${name}, again`] as const);
      for (const [name, text] of more) send(chapter, addresses(5).any[family], text, name);
      await world.until('all datagrams', () => more.every(([, text]) => placeOf(text)) || undefined);
      for (const [name, text] of more) assert.equal(placeOf(text), placeOf(name), `${text}: the same instance`);
    }
    const answers = caller.happenings.filter(({ what, text }) => what === 'answered' && text.startsWith('here:'));
    assert.deepEqual(
      [...new Set(answers.map(({ from }) => from))].toSorted(),
      Object.values(addresses(5).any).toSorted(),
    );
  },
};
