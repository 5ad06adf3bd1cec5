import assert from 'node:assert/strict';
import { addresses } from '../../../support/cluster/table.ts';
import { type Chapter, type Checks, families, heardAt, port, reach, send } from './chapter.ts';
import { acceptance, protocols, tcpFlags } from './packets.ts';
import type { Peer } from './peer.ts';
import { happened, nameOf } from './world.ts';

/** So many sockets of each family: of two instances each has one of them, but for once in sixty thousand times. */
const sockets = Array.from({ length: 16 }, (_, at) => at);

/** What is learnt of a service lasts a minute; whoever looks after that less often than once a minute is late. */
const expiryMs = 300_000;

/** The service that was called once, before all facts. */
export const unused = 14;

/** How often the cluster was asked about a service. */
const questionsAbout = ({ world: { cluster } }: Chapter, service: number): number => {
  const { any } = addresses(service);
  const keys = [nameOf(service), any.v4, any.v6];
  return cluster.queries.filter(({ sname, sip }) => keys.includes(sname || (sip ?? ''))).length;
};

/** What the cluster's table has to do with it. */
export const table: Checks = {
  '7.5': async (chapter) => {
    const { world } = chapter;
    const [near] = world.peers;
    const services = { v4: 6, v6: 10 } as const;
    for (const service of Object.values(services)) await world.place(service, 0, near);
    world.cluster.control.delayMs = 500;
    for (const family of families) {
      const host = addresses(services[family]).any[family];
      send(chapter, host, `held, ${family}`);
      await world.until('the datagram', () => heardAt(near, `held, ${family}`));
      assert.ok(
        world.cluster.queries.some(({ sip }) => sip === host),
        'the table was asked by the address',
      );
    }
    world.cluster.control.delayMs = 0;
  },

  '7.6': async ({ world, caller }) => {
    for (const host of ['10.30.250.1', 'fdff:2000::250']) {
      caller.tell({ order: 'connect', name: host, host, port });
      const { text } = await world.until('the refusal', () => happened(caller, host, 'failed'));
      assert.match(text, /^(?:ECONNREFUSED|EHOSTUNREACH)$/, host);
    }
  },

  '7.7': async (chapter) => {
    const { world } = chapter;
    const [near, far] = world.peers;
    await world.place(7, 0, near);
    await reach(chapter, 7, near, 'before it moves');
    await world.place(7, 0, far);
    await reach(chapter, 7, far, 'after it has moved');
  },

  '7.8': async ({ world, caller }) => {
    const [near] = world.peers;
    const called = await world.place(8, 0, near);
    caller.tell({ order: 'connect', name: 'connection', host: addresses(8).any.v4, port });
    const { packet } = await world.until('the opening', () =>
      near.heard.find(
        ({ packet: { protocol, flags, destination } }) =>
          protocol === protocols.tcp && flags === tcpFlags.syn && destination === called.inner.v4,
      ),
    );
    await near.send(acceptance(packet, called.own.v4, caller.inner.v4));
    await world.until('the connection', () => happened(caller, 'connection', 'connected'));
    await world.remove(8, 0);
    const { text } = await world.until('the reset', () => {
      caller.tell({ order: 'write', name: 'connection', text: '.' });
      return happened(caller, 'connection', 'failed');
    });
    assert.equal(text, 'ECONNRESET');
  },

  '7.9': async (chapter) => {
    const { world } = chapter;
    const [near, far] = world.peers;
    await world.place(9, 0, near);
    await world.place(9, 1, far);
    const all = families.flatMap((family) => sockets.map((at) => ({ family, name: `steady, ${family}, ${at}` })));
    const textOf = (name: string, round: number) => `${name}, round ${round}`;
    let rounds = 0;
    const sendAll = () => {
      for (const { family, name } of all) send(chapter, addresses(9).any[family], textOf(name, rounds), name);
      rounds += 1;
    };
    const isHeard = (at: Peer, name: string, from = 0) =>
      Array.from({ length: rounds - from }, (_, round) => textOf(name, from + round)).some((text) => heardAt(at, text));
    await world.until('sockets at both instances', () => {
      sendAll();
      return world.peers.every((peer) => all.some(({ name }) => isHeard(peer, name))) || undefined;
    });
    await world.remove(9, 0);
    const since = rounds;
    await world.until('every socket at the other instance', () => {
      sendAll();
      return all.every(({ name }) => isHeard(far, name, since)) || undefined;
    });
  },

  '7.14': async (chapter) => {
    const { world } = chapter;
    const [near, far] = world.peers;
    const useless: readonly object[] = [
      { host_ip: '127.0.0.1' },
      { host_ip: '224.0.0.1' },
      { host_ip: null },
      { host_ip: world.board.v4 },
      { namespace_ip: '8.8.8.8', namespace_ip_v6: null },
      { namespace_ip: 'nowhere', namespace_ip_v6: '::1' },
    ];
    for (const [instance, changes] of useless.entries()) await world.place(11, instance, near, changes);
    await world.place(11, useless.length, far);
    await reach(chapter, 11, far, 'so that it is known');
    for (const family of families) {
      const all = sockets.map((at) => `among useless rows, ${family}, ${at}`);
      for (const text of all) send(chapter, addresses(11).any[family], text);
      await world.until('all datagrams', () => all.every((text) => heardAt(far, text)) || undefined);
    }
  },

  '7.15': async (chapter) => {
    const { world, caller } = chapter;
    const [near] = world.peers;
    await reach(chapter, 2, near, 'before the flood');
    const hosts = Array.from({ length: 2_000 }, (_, at) => `10.30.${200 + (at >> 8)}.${at & 255}`);
    const before = world.cluster.queries.length;
    caller.tell({ order: 'flood', name: 'flood', hosts, port });
    await world.until('the flood', () => happened(caller, 'flood', 'sent'));
    await reach(chapter, 2, near, 'after the flood');
    await world.place(12, 0, near);
    await reach(chapter, 12, near, 'something new after the flood');
    const asked = world.cluster.queries.length - before;
    assert.ok(asked < hosts.length / 8, `${asked} queries for ${hosts.length} addresses`);
  },

  '7.16': async (chapter) => {
    const { world } = chapter;
    const [near, far] = world.peers;
    await world.place(13, 0, near);
    await reach(chapter, 13, near, 'before it flaps');
    const before = questionsAbout(chapter, 13);
    const changes = 200;
    for (let at = 1; at <= changes; at++) await world.place(13, 0, at % 2 === 0 ? far : near);
    await reach(chapter, 13, far, 'after it flapped');
    const asked = questionsAbout(chapter, 13) - before;
    assert.ok(asked < changes / 4, `${asked} queries for ${changes} changes`);
  },

  '7.17': async (chapter) => {
    const { world } = chapter;
    await world.until(
      'the loss of interest in what is not used',
      () => (world.cluster.removed.includes(nameOf(unused)) ? true : undefined),
      expiryMs,
    );
    assert.ok(!world.cluster.removed.includes(nameOf(1)), 'a service that has an instance here is followed');
    await world.until(
      'another query after that one',
      () => (questionsAbout(chapter, 1) >= 2 ? true : undefined),
      expiryMs,
    );
  },
};
