const headerBytes = 4;
const addressBytes = 6;
/** What QEMU takes for one packet at most: 64 KiB and 4 KiB (NET_BUFSIZE in include/net/net.h). */
const maxBytes = 68 * 1024;

/** An Ethernet frame with its length in front, as it is on the stream. */
export type Frame = Buffer;

/** A frame as it is on the stream: behind its length in four bytes, big-endian (QEMU: net/stream.c). */
export const framed = (ethernet: Uint8Array): Frame => {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32BE(ethernet.length);
  return Buffer.concat([header, ethernet]);
};

/** The Ethernet address that a frame goes to; it is for all stations when its first byte is odd (IEEE 802.3, 3.2.3). */
export const destinationOf = (frame: Frame): { readonly address: string; readonly isGroup: boolean } => ({
  address: frame.toString('hex', headerBytes, headerBytes + addressBytes),
  isGroup: ((frame[headerBytes] ?? 0) & 1) === 1,
});

/** The Ethernet address that a frame comes from. */
export const sourceOf = (frame: Frame): string =>
  frame.toString('hex', headerBytes + addressBytes, headerBytes + 2 * addressBytes);

/** Finds the frames in a stream of bytes, wherever its chunks are split. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The frames that end in `chunk`. Throws when a length is no frame's: nothing after it can be read. */
  read(chunk: Buffer): readonly Frame[] {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    const frames: Frame[] = [];
    let at = 0;
    while (bytes.length - at >= headerBytes) {
      const length = bytes.readUInt32BE(at);
      if (length < 2 * addressBytes || length > maxBytes)
        throw new RangeError(`a frame of ${length} bytes: there are ${2 * addressBytes} to ${maxBytes}`);
      const end = at + headerBytes + length;
      if (end > bytes.length) break;
      frames.push(bytes.subarray(at, end));
      at = end;
    }
    this.#rest = bytes.subarray(at);
    return frames;
  }
}
