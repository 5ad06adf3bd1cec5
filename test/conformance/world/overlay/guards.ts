import assert from 'node:assert/strict';
import type { Chapter, Checks } from './chapter.ts';
import { reach } from './chapter.ts';
import { udpPacket } from './packets.ts';
import { happened, type Remote } from './world.ts';

/** Where the caller takes what these facts send. */
const inner = 8001;

/** Sends a text from a known instance of another node until the caller has it: what was sent before has arrived by then. */
const sentRightly = async ({ world, caller }: Chapter, calling: Remote, why: string): Promise<void> => {
  const texts: string[] = [];
  const ends = { source: calling.own.v4, destination: caller.inner.v4, sourcePort: 4000, destinationPort: inner };
  await world.until(`what another node sent rightly ${why}`, async () => {
    texts.push(`right, ${why}, ${texts.length}`);
    await calling.peer.send(udpPacket(ends, texts.at(-1) ?? ''));
    return texts.find((text) => happened(caller, 'guarded', 'asked', text));
  });
};

/** A packet with a text that must not arrive anywhere. */
const bad = (source: string, destination: string, destinationPort = inner): Buffer =>
  udpPacket({ source, destination, sourcePort: 4000, destinationPort }, 'bad');

/** Nothing that is bad has come through: to the caller, or through the board to another node. */
const nothingBad = ({ world, caller }: Chapter): void => {
  assert.deepEqual(
    caller.happenings.filter(({ text }) => text === 'bad'),
    [],
  );
  const nodes = [...world.peers, world.stranger];
  const through = nodes.flatMap(({ texts, others }) => [...texts.keys(), ...others]);
  assert.deepEqual(
    through.filter((text) => text === 'bad'),
    [],
  );
};

/** Two known services on other nodes, and a caller that serves at {@link inner}. */
const known = async (chapter: Chapter): Promise<readonly [Remote, Remote]> => {
  const { world, caller } = chapter;
  const [near, far] = world.peers;
  const both = [await world.place(15, 0, near), await world.place(16, 0, far)] as const;
  await reach(chapter, 15, near, 'so that it is known');
  await reach(chapter, 16, far, 'so that it is known');
  if (!happened(caller, 'guarded', 'serves')) caller.tell({ order: 'serve', name: 'guarded', port: inner });
  await world.until('the service', () => happened(caller, 'guarded', 'serves'));
  return both;
};

/** Which packets are not taken. */
export const guards: Checks = {
  '7.10': async (chapter) => {
    const { world, caller } = chapter;
    const [calling] = await known(chapter);
    for (const [source, to] of [
      [calling.own.v4, caller.inner.v4],
      [calling.own.v6, caller.inner.v6],
      ['10.30.251.1', caller.inner.v4],
      ['192.168.50.103', caller.inner.v4],
    ] as const)
      await world.stranger.send(bad(source, to));
    for (const why of ['1', '2', '3']) await sentRightly(chapter, calling, `after a stranger, ${why}`);
    nothingBad(chapter);
  },

  '7.11': async (chapter) => {
    const { world, caller } = chapter;
    const [near] = world.peers;
    const [calling, other] = await known(chapter);
    for (const [source, to] of [
      [other.own.v4, caller.inner.v4],
      [other.own.v6, caller.inner.v6],
      [caller.own.v4, caller.inner.v4],
      [calling.inner.v4, caller.inner.v4],
      ['8.8.8.8', caller.inner.v4],
      [world.board.v4, caller.inner.v4],
    ] as const)
      await near.send(bad(source, to));
    for (const why of ['1', '2', '3']) await sentRightly(chapter, calling, `after forged ones, ${why}`);
    nothingBad(chapter);
  },

  '7.12': async (chapter) => {
    const { world } = chapter;
    const [near, far] = world.peers;
    const [calling, other] = await known(chapter);
    for (const [destination, at] of [
      [far.address, 50_103],
      [other.own.v4, inner],
      [other.inner.v4, inner],
      ['10.30.251.1', inner],
      [world.board.v4, inner],
    ] as const)
      await near.send(bad(calling.own.v4, destination, at));
    await sentRightly(chapter, calling, 'after packets for others');
    nothingBad(chapter);
  },

  '7.13': async (chapter) => {
    const { world, caller } = chapter;
    const [near] = world.peers;
    const [calling] = await known(chapter);
    const right = bad(calling.own.v4, caller.inner.v4);
    const changed = (at: number, value: number): Buffer => {
      const bytes = Buffer.from(right);
      bytes[at] = value;
      return bytes;
    };
    const malformed = [
      Buffer.alloc(0),
      ...[1, 19, 27].map((length) => right.subarray(0, length)),
      ...[0x05, 0x15, 0x44, 0x4f, 0x75, 0xff].map((first) => changed(0, first)),
      changed(9, 1),
      changed(9, 47),
      changed(2, 0xff),
    ];
    for (const bytes of malformed) await near.send(bytes);
    await sentRightly(chapter, calling, 'after malformed ones');
    nothingBad(chapter);
  },
};
