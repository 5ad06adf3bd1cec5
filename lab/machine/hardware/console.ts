import { createInterface } from 'node:readline';
import { stripVTControlCharacters } from 'node:util';
import { type LabError, labFault } from '../../system/errors.ts';
import type { MachineLog } from '../machine.ts';
import { openDevice } from './serial/device.ts';
import type { NetworkSerial } from './serial/line.ts';
import { openNetworkSerial } from './serial/network.ts';

/** Lines that a person has to know of, and what they say. Each is told once. */
const alarms: readonly (readonly [RegExp, string])[] = [
  [/Kernel panic/, 'the kernel panicked'],
  [/Internal error: Oops|\bOops\b.*#\d|Unable to handle kernel|BUG: /, 'the kernel had a fault of its own (oops)'],
  [/Under-?voltage detected/i, 'the voltage is too low: use a stronger power supply'],
  [/\bthrottl(ed|ing)\b|temperature .*(exceed|limit)/i, 'the board throttles: it is too hot'],
  [/Out of memory: Killed process/, 'the kernel ended a program for want of memory'],
  [/mmc\d.*(error|timeout)|Remounting filesystem read-only|EXT4-fs error/i, 'the card fails'],
];

/** What a line of the console warns of, if of anything. */
export const warningIn = (line: string): string | undefined => alarms.find(([pattern]) => pattern.test(line))?.[1];

/** A board's serial console as it is written down: every line with the time at which it came. */
export type SerialConsole = AsyncDisposable & { readonly log: MachineLog };

/** What a line says, without what a terminal would obey. */
const textOf = (line: string): string => stripVTControlCharacters(line).replace(/\p{Cc}/gu, '');

/**
 * Reads a board's serial console, at a device of this computer or at another one, until it is disposed of; `note` is
 * told what its lines warn of. Throws a lab fault when it cannot be opened; `lost` gets one when it goes away meanwhile.
 */
export const openConsole = async (
  source: string | NetworkSerial,
  note: (text: string) => void,
  lost: (reason: LabError) => void,
): Promise<SerialConsole> => {
  const line = typeof source === 'string' ? await openDevice(source) : await openNetworkSerial(source);
  const name = typeof source === 'string' ? source : `${source.host}:${source.port}`;
  const lines: string[] = [];
  const told = new Set<string>();
  let closing = false;
  createInterface({ input: line.input, crlfDelay: Number.POSITIVE_INFINITY })
    .on('line', (raw) => {
      const text = textOf(raw);
      lines.push(`${new Date().toISOString()} ${text}`);
      const alarm = warningIn(text);
      if (alarm === undefined || told.has(alarm)) return;
      told.add(alarm);
      note(`${alarm} (console: ${text.trim()})`);
    })
    .on('error', () => {
      // the port tells its own errors
    });
  line.input.on('error', (error) => lost(labFault(`the serial console ${name} fails`, [], error)));
  line.input.on('close', () => {
    if (!closing) lost(labFault(`the serial console ${name} went away`, ['look at the adapter and its cable']));
  });
  return {
    log: { name: 'console', read: async () => lines.map((one) => `${one}\n`).join('') },
    [Symbol.asyncDispose]: async () => {
      closing = true;
      await line.close();
    },
  };
};
