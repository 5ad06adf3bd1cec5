// Runs on this computer's own network, outside of the namespaces of a lab: makes services of the lab reachable at ports
// of the loopback device. Ends with the lab.
import net from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseJson } from '../../../worker/contract/check.ts';
import { messageOf } from '../../system/errors.ts';
import { type Listening, ListenOrder } from '../protocol.ts';
import { gatewaySocket, join } from './sockets.ts';

const [folder = ''] = process.argv.slice(2);
const lab = net.connect(path.join(folder, gatewaySocket));
lab.on('error', () => {}).once('close', () => process.exit());

const answer = (listening: Listening) => lab.write(`${JSON.stringify(listening)}\n`);

/** Listens at `port`, or at one that the kernel chooses where that is taken or not allowed. */
const listen = ({ socket, port }: ListenOrder, wanted = port): void => {
  const server = net.createServer({ allowHalfOpen: true }, (from) =>
    join(from, net.connect({ path: path.join(folder, socket), allowHalfOpen: true })),
  );
  server.once('error', (error) => {
    if (wanted === 0) answer({ socket, problem: messageOf(error) });
    else listen({ socket, port }, 0);
  });
  server.listen(wanted, '127.0.0.1', () => {
    const bound = server.address();
    if (typeof bound === 'object' && bound !== null) answer({ socket, port: bound.port });
  });
};

createInterface({ input: lab }).on('line', (line) => listen(parseJson(ListenOrder, line, 'order')));
