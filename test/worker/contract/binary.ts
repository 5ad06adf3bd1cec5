/** Builders of WebAssembly binaries, valid and not. */

export const header = [0x00, 0x61, 0x73, 0x6d];
export const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
export const section = (id: number, ...content: number[]): number[] => [id, content.length, ...content];
export const component = (...sections: number[]): Uint8Array =>
  Uint8Array.from([...header, 0x0d, 0x00, 0x01, 0x00, ...sections]);

export const wide = (value: number): number[] =>
  [0, 7, 14, 21, 28].map((shift) => (Math.floor(value / 2 ** shift) & 0x7f) | (shift < 28 ? 0x80 : 0));
export const largeSection = (id: number, content: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.from([id, ...wide(content.length)]), content]);
export const module = (...sections: Uint8Array[]): Uint8Array =>
  Buffer.concat([Buffer.from([...header, 1, 0, 0, 0]), ...sections]);
