import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Aedes } from 'aedes';
import t from 'tap';
import { endMqtt, openMqtt } from '../../../worker/system/mqtt.ts';

// Nothing is sent meanwhile, so that no missing acknowledgement or ping can tell.
const quiet = { clientId: 'x', keepalive: 0, reconnectPeriod: 0, connectTimeout: 60_000 };

for (const how of ['end', 'destroy'] as const)
  t.test(`a connection that the broker closes (${how}) is noticed by that alone`, async (t) => {
    const aedes = await Aedes.createBroker();
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      aedes.handle(socket);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = await openMqtt({ host: '127.0.0.1', port, tls: undefined }, quiet, () => undefined);
    await new Promise<void>((resolve) => client.once('connect', () => resolve()));
    const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
    for (const socket of sockets) socket[how]();
    await closed;
    t.equal(client.connected, false);
    await endMqtt(client);
    await new Promise<void>((resolve) => aedes.close(resolve));
    server.close();
  });
