/** Telnet's bytes (RFC 854), its options binary and suppress-go-ahead (RFC 856, 858), and that of RFC 2217. */
const iac = 255;
const [will, wont, doIt, dont] = [251, 252, 253, 254];
const [subBegin, subEnd] = [250, 240];
const [binary, goAhead, comPort] = [0, 3, 44];
/** Commands of a client (RFC 2217, chapter 3). */
const [setBaudRate, setDataSize, setParity, setStopSize, setControl] = [1, 2, 3, 4, 5];
const none = 1;

/** What a client says first: that it wants bytes as they are, and that it knows how to set up a serial port. */
export const greeting: Uint8Array = Uint8Array.from(
  [
    [will, binary],
    [doIt, binary],
    [will, goAhead],
    [doIt, goAhead],
    [will, comPort],
  ].flatMap((words) => [iac, ...words]),
);

const escaped = (bytes: readonly number[]): readonly number[] =>
  bytes.flatMap((byte) => (byte === iac ? [iac, iac] : [byte]));

const command = (code: number, ...value: readonly number[]): readonly number[] => [
  ...[iac, subBegin, comPort, code],
  ...escaped(value),
  ...[iac, subEnd],
];

/** Sets a port to a speed in baud, 8N1, without flow control. */
const settings = (speed: number): readonly number[] => [
  ...command(setBaudRate, speed >>> 24, (speed >>> 16) & 0xff, (speed >>> 8) & 0xff, speed & 0xff),
  ...command(setDataSize, 8),
  ...command(setParity, none),
  ...command(setStopSize, 1),
  ...command(setControl, none),
];

type State = 'data' | 'command' | 'option' | 'sub' | 'sub-command';

/** Takes what a server sent: returns what of it is the port's own data, and what has to be answered. */
export type TelnetDecoder = (chunk: Uint8Array) => { readonly data: Uint8Array; readonly answer: Uint8Array };

/** Decodes a server's bytes, however they are cut into chunks; the port is set to `speed` as soon as the server agrees. */
export const telnetDecoder = (speed: number): TelnetDecoder => {
  let state: State = 'data';
  let verb = 0;
  let isSet = false;
  const answerTo = (option: number): readonly number[] => {
    const offered = option === binary || option === goAhead || option === comPort;
    if (verb === doIt && option === comPort && !isSet) {
      isSet = true;
      return settings(speed);
    }
    // what the greeting said already is not said again: two sides that do would never end
    if (verb === doIt && !offered) return [iac, wont, option];
    if (verb === will && option !== binary && option !== goAhead) return [iac, dont, option];
    return [];
  };
  return (chunk) => {
    const data: number[] = [];
    const answer: number[] = [];
    for (const byte of chunk)
      switch (state) {
        case 'data':
          if (byte === iac) state = 'command';
          else data.push(byte);
          break;
        case 'command':
          state = byte === subBegin ? 'sub' : byte >= will ? 'option' : 'data';
          if (byte === iac) {
            data.push(byte);
            state = 'data';
          }
          verb = byte;
          break;
        case 'option':
          answer.push(...answerTo(byte));
          state = 'data';
          break;
        case 'sub':
          if (byte === iac) state = 'sub-command';
          break;
        case 'sub-command':
          state = byte === subEnd ? 'data' : 'sub';
          break;
      }
    return { data: Uint8Array.from(data), answer: Uint8Array.from(answer) };
  };
};
