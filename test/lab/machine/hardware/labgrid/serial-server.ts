import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { until } from '../../../../../lab/system/wait.ts';
import type { Labgrid } from './labgrid.ts';

/** pyserial's own server side of RFC 2217, in front of a port that reads what is written to it. */
const program = `
import socket, sys, threading
import serial, serial.rfc2217
port = serial.serial_for_url('loop://', timeout=0.05)
server = socket.create_server(('127.0.0.1', 0))
print(server.getsockname()[1], flush=True)
def say():
    for line in sys.stdin.buffer:
        port.write(bytes.fromhex(line.decode()))
threading.Thread(target=say, daemon=True).start()
while True:
    connection, _ = server.accept()
    class Connection:
        write = staticmethod(connection.sendall)
    manager = serial.rfc2217.PortManager(port, Connection)
    def read():
        told = None
        while True:
            data = port.read(4096)
            try:
                if data:
                    connection.sendall(b''.join(manager.escape(data)))
            except OSError:
                return
            if port.baudrate != told:
                told = port.baudrate
                print(told, flush=True)
    threading.Thread(target=read, daemon=True).start()
    try:
        while data := connection.recv(4096):
            b''.join(manager.filter(data))
    except OSError:
        pass
    connection.close()
`;

/** A serial port on the network that is not this project's. */
export type SerialServer = AsyncDisposable & {
  readonly port: number;
  /** What the board writes to its console. */
  readonly say: (bytes: Uint8Array) => void;
  /** Resolves when a client has set the port to a speed in baud. */
  readonly isSetTo: (speed: number) => Promise<void>;
};

export const startSerialServer = async ({ python }: Labgrid): Promise<SerialServer> => {
  const child = spawn(python, ['-c', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const signal = () => AbortSignal.timeout(60_000);
  const port = Number(await until(() => lines[0], signal()));
  return {
    port,
    say: (bytes) => void child.stdin.write(`${Buffer.from(bytes).toString('hex')}\n`),
    isSetTo: async (speed) => {
      await until(() => lines.at(-1) === `${speed}` || undefined, signal());
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    },
  };
};
