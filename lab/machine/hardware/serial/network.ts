import { once } from 'node:events';
import net from 'node:net';
import { Transform } from 'node:stream';
import { labFault } from '../../../system/errors.ts';
import { deadline } from '../../../system/wait.ts';
import type { NetworkSerial, SerialLine } from './line.ts';
import { greeting, telnetDecoder } from './telnet.ts';

const connectMs = 10_000;
const keepAliveMs = 10_000;

/** Connects to a serial port of another computer. Throws a lab fault when nothing answers there. */
export const openNetworkSerial = async ({ host, port, protocol, speed }: NetworkSerial): Promise<SerialLine> => {
  const socket = net.connect({ host, port, keepAlive: true, keepAliveInitialDelay: keepAliveMs, noDelay: true });
  await once(socket, 'connect', { signal: deadline(connectMs, 'the connection') }).catch((error: unknown) => {
    socket.destroy();
    throw labFault(
      `the serial console ${host}:${port} cannot be opened`,
      [`on ${host}: is ser2net running, and does a firewall let port ${port} through?`],
      error,
    );
  });
  const decode = protocol === 'rfc2217' ? telnetDecoder(speed) : undefined;
  const input = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      const { data, answer } = decode?.(chunk) ?? { data: chunk, answer: [] };
      if (answer.length > 0) socket.write(Buffer.from(answer));
      done(undefined, Buffer.from(data));
    },
  });
  socket.on('error', (error) => input.destroy(error));
  socket.pipe(input);
  if (decode) socket.write(greeting);
  return {
    input,
    close: async () => {
      const closed = input.closed ? undefined : once(input, 'close');
      socket.destroy();
      input.destroy();
      await closed;
    },
  };
};
