import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** Packet types of MQTT 3.1.1 (section 2.2.1) that a client sends and a broker answers. */
const types = { connect: 1, publish: 3, subscribe: 8, pingreq: 12 } as const;

/** What the broker answers; to everything else it says nothing. */
export type Answers = { readonly connect: boolean; readonly subscribe: boolean };

const answerTo = (packet: Buffer, body: Buffer, answers: Answers): Buffer | undefined => {
  const type = (packet[0] ?? 0) >> 4;
  if (type === types.pingreq) return Buffer.from([0xd0, 0]);
  if (type === types.connect && answers.connect) return Buffer.from([0x20, 2, 0, 0]);
  if (type !== types.subscribe || !answers.subscribe) return undefined;
  const topics = Buffer.from(body.subarray(2));
  let count = 0;
  for (let at = 0; at < topics.length; at += 3 + topics.readUInt16BE(at)) count += 1;
  return Buffer.concat([Buffer.from([0x90, 2 + count]), body.subarray(0, 2), Buffer.alloc(count, 1)]);
};

/** Cuts a stream into packets: a byte of type, up to four of length, and the rest. */
const packetsOf = (take: (packet: Buffer, body: Buffer) => void) => {
  let held = Buffer.alloc(0);
  return (chunk: Buffer): void => {
    held = Buffer.concat([held, chunk]);
    for (;;) {
      const end = held.findIndex((byte, at) => at > 0 && byte < 0x80);
      if (end < 0) return;
      const length = held.subarray(1, end + 1).reduceRight((sum, byte) => sum * 128 + (byte & 0x7f), 0);
      if (held.length < end + 1 + length) return;
      take(held, held.subarray(end + 1, end + 1 + length));
      held = held.subarray(end + 1 + length);
    }
  };
};

/** A broker on `host` that answers pings, and nothing of what `answers` says no to. */
export const startMuteBroker = async (answers: Answers, host = '127.0.0.1', connected = () => {}) => {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    connected();
    sockets.add(socket.once('close', () => sockets.delete(socket)));
    socket.on('error', () => undefined);
    socket.on(
      'data',
      packetsOf((packet, body) => {
        const answer = answerTo(packet, body, answers);
        if (answer) socket.write(answer);
      }),
    );
  });
  server.listen(0, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
};
