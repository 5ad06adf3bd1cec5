const leb = (value: number): number[] => {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    const byte = left % 128;
    if (left < 128) return [...bytes, byte];
    bytes.push(byte + 128);
  }
};

const section = (id: number, content: Buffer): Buffer =>
  Buffer.concat([Buffer.from([id, ...leb(content.length)]), content]);

const vector = (count: number, entry: Buffer): Buffer =>
  Buffer.concat([Buffer.from(leb(count)), ...Array.from({ length: count }, () => entry)]);

/** A function that multiplies its argument by itself again and again: 5 bytes of code a step. */
const functionBody = (steps: number): Buffer => {
  const step = Buffer.from([0x20, 0x00, 0x6c, 0x41, 0x07, 0x6a]);
  const body = Buffer.concat([
    Buffer.from([0x00, 0x20, 0x00]),
    ...Array.from({ length: steps }, () => step),
    Buffer.from([0x0b]),
  ]);
  return Buffer.concat([Buffer.from(leb(body.length)), body]);
};

/** The component with a module in it that nobody calls and that the compiler has to translate: so many bytes of code. */
export const withCode = (component: Buffer, bytes: number): Buffer => {
  const body = functionBody(200);
  const count = Math.ceil(bytes / body.length);
  const module = Buffer.concat([
    Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]),
    section(1, Buffer.from([0x01, 0x60, 0x01, 0x7f, 0x01, 0x7f])),
    section(3, vector(count, Buffer.from([0x00]))),
    section(10, vector(count, body)),
  ]);
  return Buffer.concat([component, section(1, module)]);
};

/** The component with a custom section of so many bytes, as of debugging information. */
export const withPadding = (component: Buffer, bytes: number): Buffer =>
  Buffer.concat([component, section(0, Buffer.concat([Buffer.from([0x01, 0x78]), Buffer.alloc(bytes)]))]);
