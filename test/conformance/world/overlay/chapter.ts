import { addresses } from '../../../support/cluster/table.ts';
import type { FactId } from '../facts.ts';
import type { Datagram, Peer } from './peer.ts';
import type { Local, OverlayWorld } from './world.ts';

/** The numbers of this chapter's facts. */
export type OverlayFactId = Extract<FactId, `7.${string}`>;

/** What all facts of the chapter are tested with: they share a world, and each has services of its own. */
export type Chapter = {
  readonly world: OverlayWorld;
  /** The only instance of service 1, on the board. */
  readonly caller: Local;
};

/** Tests a fact. Throws when it does not hold. */
export type Check = (chapter: Chapter) => Promise<void>;

/** Checks by the numbers of their facts. */
export type Checks = Partial<Record<OverlayFactId, Check>>;

export const families = ['v4', 'v6'] as const;

/** The port that services are called at in this chapter. */
export const port = 80;

/** The first datagram at a node that carries a text. */
export const heardAt = (peer: Peer, text: string): Datagram | undefined => peer.texts.get(text);

/** Sends a datagram from the caller, from a socket that has its name from it and from nothing else. */
export const send = ({ caller }: Chapter, host: string, text: string, name = text): void =>
  caller.tell({ order: 'send', name, host, port, text });

/** Calls a service, each time from another socket, until a call arrives at a node; what arrived. */
export const reach = async (chapter: Chapter, service: number, at: Peer, why: string): Promise<Datagram> => {
  const texts: string[] = [];
  return await chapter.world.until(`a datagram of '${why}' at ${at.address}`, () => {
    const text = `${service}, ${why}, ${texts.length}`;
    texts.push(text);
    send(chapter, addresses(service).any.v4, text);
    const arrived = texts.find((each) => heardAt(at, each));
    return arrived === undefined ? undefined : heardAt(at, arrived);
  });
};
