import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import t from 'tap';
import { PacketLimit } from '../../../worker/system/mqtt-limit.ts';
import { inputs } from '../../support/inputs.ts';

const most = 300;

const packet = (type: number, length: number): Buffer => {
  const header = [type << 4];
  for (let rest = length; ; rest >>= 7) {
    header.push(rest > 127 ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from(header), Buffer.alloc(length, type)]);
};

const through = async (chunks: readonly Buffer[], leftOut: (bytes: number) => void): Promise<string> => {
  const limit = new PacketLimit(most, leftOut);
  const read = text(limit.setEncoding('latin1'));
  for (const chunk of chunks) limit.write(chunk);
  limit.end();
  return await read;
};

t.test('packets come through whole, wherever the stream is cut, and messages that are too long do not', async () => {
  const length = fc.oneof(fc.nat(most), fc.integer({ min: most + 1, max: 20_000 }), fc.constantFrom(127, 128, most));
  await fc.assert(
    fc.asyncProperty(fc.array(length, { maxLength: 5 }), fc.array(fc.nat()), async (lengths, cuts) => {
      const whole = Buffer.concat(lengths.map((bytes) => packet(3, bytes)));
      const at = [0, ...cuts.map((cut) => cut % (whole.length + 1)).sort((a, b) => a - b), whole.length];
      const chunks = at.slice(1).map((end, index) => whole.subarray(at[index], end));
      const long: number[] = [];
      const passed = await through(chunks, (bytes) => long.push(bytes));
      const short = lengths.filter((bytes) => bytes <= most).map((bytes) => packet(3, bytes).toString('latin1'));
      return passed === short.join('') && long.join() === lengths.filter((bytes) => bytes > most).join();
    }),
    inputs(20_261_203, 300),
  );
});

t.test('what no broker sends ends the connection', async (t) => {
  await t.rejects(
    through([packet(9, most + 1)], () => undefined),
    /control packet of 301 bytes/,
  );
  await t.rejects(
    through([Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x7f])], () => undefined),
    /is no MQTT/,
  );
});
