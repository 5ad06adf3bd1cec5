import { once } from 'node:events';
import net from 'node:net';
import type { LinkConditions, LinkCounts } from './conditions.ts';
import { destinationOf, type Frame, FrameReader, sourceOf } from './frames.ts';
import { Lane } from './lane.ts';

/** What may wait for a board that reads too slowly; more is lost, as in a switch's buffer. */
const maxUnreadBytes = 4 << 20;

/** The link of one board: a socket that its emulator connects to, and a lane in each direction. */
class Link {
  readonly fromBoard: Lane;
  readonly toBoard: Lane;
  readonly server: net.Server;
  #socket: net.Socket | undefined;
  #unread = 0;

  constructor(forward: (frame: Frame) => void) {
    this.fromBoard = new Lane(forward);
    this.toBoard = new Lane((frame) => this.#write(frame));
    this.server = net.createServer((socket) => this.#accept(socket));
  }

  get counts(): LinkCounts {
    const { fromBoard, toBoard } = this;
    return { passed: fromBoard.passed + toBoard.passed, lost: fromBoard.lost + toBoard.lost + this.#unread };
  }

  /** An emulator that connects again takes the place of what was there. */
  #accept(socket: net.Socket): void {
    this.#socket?.destroy();
    this.#socket = socket;
    const reader = new FrameReader();
    socket.on('data', (chunk) => {
      try {
        for (const frame of reader.read(chunk)) this.fromBoard.send(frame);
      } catch {
        // it speaks another framing: what follows cannot be read either
        socket.destroy();
      }
    });
    socket.on('error', () => socket.destroy());
  }

  #write(frame: Frame): void {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed || socket.writableLength > maxUnreadBytes) this.#unread += 1;
    else socket.write(frame);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.fromBoard.close();
    this.toBoard.close();
    const closed = once(this.server, 'close');
    this.server.close();
    this.#socket?.destroy();
    await closed;
  }
}

/** A learning Ethernet switch between boards, each on a unix socket of its own (QEMU: `-netdev stream`). */
export class EthernetSwitch implements AsyncDisposable {
  readonly #links = new Map<string, Link>();
  /** Which link an address was last seen on. */
  readonly #table = new Map<string, Link>();

  /** Listens at `path` for the emulator of the board `name`. */
  async listen(name: string, path: string): Promise<void> {
    const link: Link = new Link((frame) => this.#forward(link, frame));
    link.server.listen(path);
    await once(link.server, 'listening');
    this.#links.set(name, link);
  }

  /** Makes both directions of a link as `conditions` say, and returns its counts. Throws when there is no such link. */
  change(name: string, conditions: LinkConditions): LinkCounts {
    const link = this.#links.get(name);
    if (link === undefined) throw new Error(`no link '${name}': there are ${[...this.#links.keys()].join(', ')}`);
    for (const lane of [link.fromBoard, link.toBoard]) lane.change(conditions);
    return link.counts;
  }

  #forward(from: Link, frame: Frame): void {
    const { address, isGroup } = destinationOf(frame);
    this.#table.set(sourceOf(frame), from);
    const known = isGroup ? undefined : this.#table.get(address);
    const others = known === undefined ? [...this.#links.values()] : [known];
    for (const link of others) if (link !== from) link.toBoard.send(frame);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#links.values()].map((link) => link[Symbol.asyncDispose]()));
  }
}
