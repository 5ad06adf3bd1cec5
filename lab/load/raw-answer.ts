/** A whole HTTP answer as it came, and what it says. */
export type Answered = {
  readonly bytes: Buffer;
  /** Where the head ends and the body begins. */
  readonly head: number;
  readonly status: number;
  readonly body: Buffer;
};

const statusLine = 'HTTP/1.1 200'.length;

/** Joins the chunks that begin at `at`; undefined when the last one is not there yet (RFC 9112, 7.1). */
const joinChunks = (bytes: Buffer, at: number): Buffer | undefined => {
  const chunks: Buffer[] = [];
  for (let from = at; ; ) {
    const end = bytes.indexOf('\r\n', from);
    if (end < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', from, end), 16);
    if (Number.isNaN(size)) throw new Error('the answer has a chunk without a size');
    const next = end + 2 + size + 2;
    if (size === 0) return bytes.indexOf('\r\n', end + 2) < 0 ? undefined : Buffer.concat(chunks);
    if (bytes.length < next) return undefined;
    chunks.push(bytes.subarray(end + 2, end + 2 + size));
    from = next;
  }
};

/**
 * Takes an HTTP/1.1 answer apart that ends with `bytes`; undefined when more of it is to come. Throws when it says
 * neither how long it is nor that it comes in chunks.
 */
export const readAnswer = (bytes: Buffer): Answered | undefined => {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = end + 4;
  const text = bytes.toString('latin1', 0, end).toLowerCase();
  const status = Number(text.slice(9, 12));
  const [, length] = /\r\ncontent-length: *(\d+)/.exec(text) ?? [];
  if (length !== undefined) {
    const whole = head + Number(length);
    return bytes.length < whole ? undefined : { bytes, head, status, body: bytes.subarray(head, whole) };
  }
  if (!/\r\ntransfer-encoding: *chunked/.test(text)) throw new Error('the answer does not say where it ends');
  const body = joinChunks(bytes, head);
  return body && { bytes, head, status, body };
};

/**
 * True when `bytes` are the last answer over again: as long, with the same status and the same body. What a head says
 * besides, such as the date, may differ.
 */
export const isSameAnswer = ({ bytes: last, head }: Answered, bytes: Buffer): boolean =>
  bytes.length === last.length &&
  bytes.compare(last, 0, statusLine, 0, statusLine) === 0 &&
  bytes.compare(last, head, last.length, head, last.length) === 0;
