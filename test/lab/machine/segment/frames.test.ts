import fc from 'fast-check';
import t from 'tap';
import { FrameReader, framed } from '../../../../lab/machine/segment/frames.ts';

const frame = fc.uint8Array({ minLength: 12, maxLength: 300 });

/** `bytes` in pieces that end at `cuts`. */
const pieces = (bytes: Buffer, cuts: readonly number[]): readonly Buffer[] => {
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
};

t.test('frames are found wherever the stream is split', async () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 12 }), (frames, cuts) => {
      const reader = new FrameReader();
      const stream = Buffer.concat(frames.map(framed));
      const found = pieces(stream, cuts).flatMap((piece) => reader.read(piece));
      return Buffer.concat(found).equals(stream) && found.length === frames.length;
    }),
  );
});

t.test('a length that no frame has ends the stream', async (t) => {
  for (const length of [0, 11, 69_633, 0xffffffff]) {
    const header = Buffer.alloc(4);
    header.writeUInt32BE(length);
    t.throws(() => new FrameReader().read(header), { name: 'RangeError' }, `${length} bytes`);
  }
});
