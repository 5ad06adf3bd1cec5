import fc from 'fast-check';
import t from 'tap';
import type { LinkConditions } from '../../../../lab/machine/segment/conditions.ts';
import { framed } from '../../../../lab/machine/segment/frames.ts';
import { arrivalOf, Lane, type LaneTimes } from '../../../../lab/machine/segment/lane.ts';

const idle: LaneTimes = { free: 0, arrival: 0 };

t.test('a frame arrives after its delay and its own time on the link', async (t) => {
  const at = (conditions: LinkConditions, bytes: number) =>
    arrivalOf(conditions, idle, { bytes, now: 1000, chance: 0.5 })?.arrival;
  t.equal(at({}, 1500), 1000);
  t.equal(at({ delayMs: 50 }, 1500), 1050);
  t.equal(at({ bitsPerSecond: 12_000, delayMs: 5 }, 1500), 2005);
  t.equal(at({ isCut: true }, 1500), undefined);
  t.equal(at({ loss: 0.6 }, 1500), undefined);
  t.equal(at({ loss: 0.4 }, 1500), 1000);
});

t.test('frames never overtake each other, and a limited rate is never exceeded', async () => {
  const sizes = fc.array(fc.record({ bytes: fc.integer({ min: 64, max: 1518 }), gap: fc.nat(20) }), { minLength: 2 });
  const bitsPerSecond = 1_000_000;
  fc.assert(
    fc.property(sizes, fc.nat(100), (frames, delayMs) => {
      let [times, now, last, carried] = [idle, 0, 0, 0];
      return frames.every(({ bytes, gap }) => {
        now += gap;
        const next = arrivalOf({ bitsPerSecond, delayMs }, times, { bytes, now, chance: 1 });
        if (next === undefined) return true;
        carried += bytes * 8;
        const holds = next.arrival >= last && carried <= (next.free / 1000) * bitsPerSecond + 1e-6;
        [times, last] = [next, next.arrival];
        return holds;
      });
    }),
  );
});

t.test('the loss is the share that was asked for', async (t) => {
  let n = 0;
  const arrived: Buffer[] = [];
  const lane = new Lane(
    (frame) => arrived.push(frame),
    () => (n++ % 100) / 100,
  );
  lane.change({ loss: 0.25 });
  for (let i = 0; i < 1000; i += 1) lane.send(framed(Buffer.alloc(60)));
  t.equal(arrived.length, 750);
  t.strictSame([lane.passed, lane.lost], [750, 250]);
  lane.close();
});

t.test('frames under way are lost when the link is cut, and those after it is whole arrive in order', async (t) => {
  const arrived: number[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const lane = new Lane((frame) => {
    arrived.push(frame[4] ?? 0);
    if (frame[4] === 4) resolve();
  });
  const send = (n: number) => lane.send(framed(Buffer.alloc(60, n)));
  lane.change({ delayMs: 20 });
  send(1);
  lane.change({ isCut: true });
  send(2);
  lane.change({ delayMs: 20 });
  send(3);
  lane.change({});
  send(4);
  await promise;
  t.strictSame(arrived, [3, 4], 'a shorter delay lets nobody overtake');
  t.strictSame([lane.passed, lane.lost], [2, 2]);
  lane.close();
});
