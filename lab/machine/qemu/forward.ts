import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { labFault, messageOf } from '../../system/errors.ts';
import { freePort } from '../../system/ports.ts';
import type { Endpoint, ExposedPort } from '../machine.ts';
import { userNetwork } from '../user-network.ts';

/** Gives a command to the emulator's monitor for people, and resolves with what that prints: nothing when all is well. */
export type TellMonitor = (command: string, signal?: AbortSignal) => Promise<unknown>;

/** Leads a free TCP port of the loopback device to a port of the guest. */
export const forwardPort = (tell: TellMonitor, boardPort: number, signal?: AbortSignal): Promise<Endpoint> =>
  freePort('127.0.0.1', async (port) => {
    const answer = await tell(`hostfwd_add uplink tcp:127.0.0.1:${port}-${userNetwork.board}:${boardPort}`, signal);
    return answer === '' ? { host: '127.0.0.1', port } : undefined;
  });

/** Binds a port for a moment. Rejects with the system's error where somebody has it or it needs privileges. */
const tryPort = async ({ address, port, protocol }: ExposedPort): Promise<void> => {
  if (protocol === 'udp') {
    const socket = createSocket('udp4').bind({ address, port, exclusive: true });
    await once(socket, 'listening');
    await new Promise<void>((resolve) => socket.close(resolve));
    return;
  }
  const server = net.createServer().listen({ host: address, port, exclusive: true });
  await once(server, 'listening');
  await new Promise((resolve) => server.close(resolve));
};

const reasons: Readonly<Record<string, { readonly reason: string; readonly remedy: string }>> = {
  EADDRINUSE: { reason: 'is in use', remedy: 'ss -lntup shows by which program' },
  EACCES: { reason: 'is open to the administrator alone', remedy: 'choose a port from 1024 on' },
};

/** Leads a port of this computer to the same one of the guest. The emulator alone would not say why it cannot. */
export const exposePort = async (tell: TellMonitor, exposed: ExposedPort): Promise<AsyncDisposable> => {
  const { address, port, protocol } = exposed;
  const which = `port ${port}/${protocol} of this computer (${address})`;
  await tryPort(exposed).catch((error: NodeJS.ErrnoException) => {
    const { reason, remedy } = reasons[error.code ?? ''] ?? { reason: `cannot be opened: ${messageOf(error)}` };
    throw labFault(`${which} ${reason}`, remedy === undefined ? [] : [remedy]);
  });
  const here = `${protocol}:${address}:${port}`;
  const answer = await tell(`hostfwd_add uplink ${here}-${userNetwork.board}:${port}`);
  if (answer !== '') throw labFault(`${which} cannot be led to the board: ${String(answer).trim()}`);
  return {
    [Symbol.asyncDispose]: async () => {
      // it ends with the emulator, too
      await tell(`hostfwd_remove uplink ${here}`).catch(() => {});
    },
  };
};
