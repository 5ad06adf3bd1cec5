import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { run } from '../../../support/network.ts';
import { type Packet, readPacket } from './packets.ts';

/** What came to a node in one datagram. */
export type Datagram = { readonly from: string; readonly bytes: Buffer; readonly packet: Packet };

/** Another node, as far as the wire shows one: an address of the lab that takes and sends datagrams of the overlay. */
export type Peer = AsyncDisposable & {
  readonly address: string;
  readonly heard: readonly Datagram[];
  /** The first datagram with each text. */
  readonly texts: ReadonlyMap<string, Datagram>;
  /** What came in datagrams that hold no packet. */
  readonly others: readonly string[];
  /** Sends one datagram to the board, from a port of its own where none is named. */
  readonly send: (bytes: Buffer, port?: number) => Promise<void>;
};

const tunnelPort = 50_103;

const bound = async (address: string, port: number): Promise<Socket> => {
  const socket = createSocket('udp4').bind(port, address);
  await once(socket, 'listening');
  return socket;
};

const sendFrom = (socket: Socket, bytes: Buffer, to: string): Promise<void> =>
  new Promise((resolve, reject) => socket.send(bytes, tunnelPort, to, (error) => (error ? reject(error) : resolve())));

/** Opens a node at an address of its own in the lab. */
export const openPeer = async (address: string, board: string): Promise<Peer> => {
  await run('ip', 'addr', 'add', `${address}/24`, 'dev', 'lab0');
  const socket = await bound(address, tunnelPort);
  const heard: Datagram[] = [];
  const texts = new Map<string, Datagram>();
  const others: string[] = [];
  socket.on('message', (bytes, { address: from }) => {
    const packet = readPacket(bytes);
    if (packet === undefined) {
      others.push(String(bytes));
      return;
    }
    const datagram = { from, bytes, packet };
    const text = String(packet.payload);
    heard.push(datagram);
    if (!texts.has(text)) texts.set(text, datagram);
  });
  return {
    address,
    heard,
    texts,
    others,
    send: async (bytes, port) => {
      if (port === tunnelPort) return await sendFrom(socket, bytes, board);
      const other = await bound(address, port ?? 0);
      await sendFrom(other, bytes, board);
      other.close();
    },
    [Symbol.asyncDispose]: async () => {
      socket.close();
    },
  };
};
