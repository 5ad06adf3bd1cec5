import type { Readable } from 'node:stream';

/** A serial port that is read. */
export type SerialLine = {
  /** Its bytes; it is closed when the port goes away. */
  readonly input: Readable;
  readonly close: () => Promise<void>;
};

/** A serial port that another computer offers by TCP. */
export type NetworkSerial = {
  readonly host: string;
  readonly port: number;
  /** `rfc2217` is telnet with commands that set the port up, `raw` the port's bytes and nothing else. */
  readonly protocol: 'rfc2217' | 'raw';
  /** In baud. */
  readonly speed: number;
};
