import { once } from 'node:events';
import net from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { openConsole } from '../../../../../lab/machine/hardware/console.ts';
import { openNetworkSerial } from '../../../../../lab/machine/hardware/serial/network.ts';
import { greeting, telnetDecoder } from '../../../../../lab/machine/hardware/serial/telnet.ts';
import { until } from '../../../../../lab/system/wait.ts';
import { labgrid } from './labgrid.ts';
import { startSerialServer } from './serial-server.ts';

const iac = 255;
const ignore = () => {};

t.test(
  'a port behind RFC 2217 is set up, and its bytes come through',
  { skip: typeof labgrid === 'string' && labgrid },
  async (t) => {
    if (typeof labgrid === 'string') return;
    await using server = await startSerialServer(labgrid);
    const line = await openNetworkSerial({ host: '127.0.0.1', port: server.port, protocol: 'rfc2217', speed: 57_600 });
    await server.isSetTo(57_600);
    const bytes = Uint8Array.from({ length: 512 }, (_, index) => index & 0xff);
    const read: Buffer[] = [];
    line.input.on('data', (chunk: Buffer) => read.push(chunk));
    server.say(bytes);
    await until(() => Buffer.concat(read).length >= bytes.length || undefined, AbortSignal.timeout(60_000));
    t.strictSame(Buffer.concat(read), Buffer.from(bytes), 'also those that mean something to telnet');
    await line.close();
  },
);

t.test('a console on the network is written down, and its end is told', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const accepted = once(server, 'connection') as Promise<[net.Socket]>;
  const lost = Promise.withResolvers<Error>();
  const source = { host: '127.0.0.1', port, protocol: 'raw', speed: 115_200 } as const;
  await using console = await openConsole(source, ignore, lost.resolve);
  const [socket] = await accepted;
  socket.write('Booting Linux\r\n');
  await until(async () => (await console.log.read()).includes('Booting') || undefined, AbortSignal.timeout(60_000));
  socket.destroy();
  t.match(await lost.promise, { fault: 'lab', message: `the serial console 127.0.0.1:${port} went away` });
  server.close();
  await once(server, 'close');
  await t.rejects(openConsole(source, ignore, ignore), {
    fault: 'lab',
    message: /the serial console 127\.0\.0\.1:\d+ cannot be opened/,
    next: [/is ser2net running/],
  });
});

t.test('telnet is decoded the same however its bytes are cut', async () => {
  const escaped = (data: Uint8Array) => [...data].flatMap((byte) => (byte === iac ? [iac, iac] : [byte]));
  const negotiation = fc.oneof(
    fc.tuple(fc.constantFrom(251, 252, 253, 254), fc.nat(255)).map(([verb, option]) => [iac, verb, option]),
    fc.uint8Array({ maxLength: 8 }).map((value) => [iac, 250, 44, 101, ...escaped(value), iac, 240]),
    fc.constantFrom([iac, 241], [iac, 246]),
  );
  const part = fc.oneof(
    fc.uint8Array({ maxLength: 16 }).map((data) => ({ data: [...data], sent: escaped(data) })),
    negotiation.map((sent) => ({ data: [], sent })),
  );
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
      (parts, cuts) => {
        const sent = Uint8Array.from(parts.flatMap((one) => one.sent));
        const whole = telnetDecoder(9600)(sent);
        const decode = telnetDecoder(9600);
        const pieces: ReturnType<typeof decode>[] = [];
        for (let at = 0, index = 0; at < sent.length; index++) {
          const size = cuts[index % cuts.length] ?? 1;
          pieces.push(decode(sent.subarray(at, at + size)));
          at += size;
        }
        const joined = (key: 'data' | 'answer') => Buffer.concat(pieces.map((piece) => piece[key]));
        return (
          Buffer.from(parts.flatMap((one) => one.data)).equals(joined('data')) &&
          Buffer.from(whole.data).equals(joined('data')) &&
          Buffer.from(whole.answer).equals(joined('answer'))
        );
      },
    ),
    { seed: 26 },
  );
});

t.test('two sides that negotiate come to an end', async (t) => {
  let sent: Uint8Array = greeting;
  const [here, there] = [telnetDecoder(9600), telnetDecoder(9600)];
  let rounds = 0;
  for (; sent.length > 0 && rounds < 10; rounds++) sent = (rounds % 2 === 0 ? there : here)(sent).answer;
  t.ok(rounds < 10, `${rounds} rounds`);
});
