import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import t from 'tap';
import { PacketLimit } from '../../../worker/system/mqtt-limit.ts';
import { TopLevel } from '../../../worker/system/top-level.ts';
import { inputs } from '../../support/inputs.ts';

const most = 300;

const packet = (first: number, body: Buffer): Buffer => {
  const header = [first];
  for (let rest = body.length; ; rest >>= 7) {
    header.push(rest > 127 ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from(header), body]);
};

/** A PUBLISH packet at QoS 0 or 1. */
const publish = (topic: string, qos: 0 | 1, payload: string): Buffer => {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(Buffer.byteLength(topic));
  const identifier = qos === 0 ? '' : '\x01\x02';
  return packet(0x30 | (qos << 1), Buffer.concat([length, Buffer.from(`${topic}${identifier}${payload}`)]));
};

const cut = (whole: Buffer, places: readonly number[]): readonly Buffer[] => {
  const at = [0, ...places.map((place) => place % (whole.length + 1)).sort((a, b) => a - b), whole.length];
  return at.slice(1).map((end, index) => whole.subarray(at[index], end));
};

const through = async (chunks: readonly Buffer[], shortened: (bytes: number) => void): Promise<string> => {
  const limit = new PacketLimit(most, shortened, ['name', 'number']);
  const read = text(limit.setEncoding('latin1'));
  for (const chunk of chunks) limit.write(chunk);
  limit.end();
  return await read;
};

t.test('packets come through whole, wherever the stream is cut, and of long messages what names them', async () => {
  const length = fc.oneof(fc.nat(most), fc.integer({ min: most + 1, max: 20_000 }), fc.constantFrom(127, 128, most));
  const message = fc.record({ topic: fc.string({ maxLength: 20 }), qos: fc.constantFrom<0 | 1>(0, 1), length });
  await fc.assert(
    fc.asyncProperty(fc.array(message, { maxLength: 5 }), fc.array(fc.nat()), async (messages, places) => {
      const long: number[] = [];
      const expected: Buffer[] = [];
      const sent = messages.map(({ topic, qos, length: padding }, number) => {
        const named = { name: topic, padding: 'x'.repeat(padding), number };
        const payload = JSON.stringify(named);
        const whole = publish(topic, qos, payload);
        const bytes = 2 + Buffer.byteLength(topic) + 2 * qos + Buffer.byteLength(payload);
        const key = 'oakestra-worker: bytes of the whole message';
        const kept = JSON.stringify({ name: topic, number, [key]: bytes });
        if (bytes > most) long.push(bytes);
        expected.push(bytes > most ? publish(topic, qos, kept) : whole);
        return whole;
      });
      const told: number[] = [];
      const passed = await through(cut(Buffer.concat(sent), places), (bytes) => told.push(bytes));
      return passed === Buffer.concat(expected).toString('latin1') && told.join() === long.join();
    }),
    inputs(20_261_203, 300),
  );
});

t.test('texts and numbers are found at the top level of any object, wherever the stream is cut', async () => {
  const keys = ['job_name', 'instance_number'];
  const value = fc.oneof(fc.jsonValue(), fc.constant([{ job_name: 'inner', instance_number: 9 }]), fc.string());
  const object = fc.dictionary(fc.oneof(fc.constantFrom(...keys), fc.string()), value);
  const space = fc.constantFrom<string | number>('', 1, '\t');
  fc.assert(
    fc.property(object, space, fc.array(fc.nat()), (made, indent, places) => {
      const found = new TopLevel(keys);
      for (const chunk of cut(Buffer.from(JSON.stringify(made, undefined, indent)), places)) found.write(chunk);
      const expected = keys.flatMap((key) => {
        const one = Object.hasOwn(made, key) ? made[key] : undefined;
        return ['string', 'number'].includes(typeof one) ? [[key, one]] : [];
      });
      return JSON.stringify(Object.entries(found.values).toSorted()) === JSON.stringify(expected.toSorted());
    }),
    inputs(20_261_204),
  );
});

t.test('what no broker sends ends the connection', async (t) => {
  await t.rejects(
    through([packet(0x90, Buffer.alloc(most + 1))], () => undefined),
    /control packet of 301 bytes/,
  );
  await t.rejects(
    through([Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x7f])], () => undefined),
    /is no MQTT/,
  );
  await t.rejects(
    through([packet(0x30, Buffer.alloc(most + 1, 9))], () => undefined),
    /without its topic/,
  );
});
