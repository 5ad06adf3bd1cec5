import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { stripVTControlCharacters } from 'node:util';
import { SerialPort } from 'serialport';
import { type LabError, labFault } from '../../system/errors.ts';
import type { MachineLog } from '../machine.ts';

const baudRate = 115_200;

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
 * Reads a board's serial console until it is disposed of; `note` is told what its lines warn of. Throws a lab fault when
 * the device cannot be opened; `lost` gets one when it goes away meanwhile.
 */
export const openConsole = async (
  device: string,
  note: (text: string) => void,
  lost: (reason: LabError) => void,
): Promise<SerialConsole> => {
  const port = new SerialPort({ path: device, baudRate, autoOpen: false });
  await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve()))).catch(
    (error: unknown) => {
      throw labFault(
        `the serial console ${device} cannot be opened`,
        [
          'ls -l /dev/serial/by-id/',
          'sudo usermod -aG dialout $USER, and log in again, where it says "permission denied"',
          'wait until what else reads it has ended, where it says "cannot lock port"',
        ],
        error,
      );
    },
  );
  const lines: string[] = [];
  const told = new Set<string>();
  let closing = false;
  createInterface({ input: port, crlfDelay: Number.POSITIVE_INFINITY })
    .on('line', (raw) => {
      const line = textOf(raw);
      lines.push(`${new Date().toISOString()} ${line}`);
      const alarm = warningIn(line);
      if (alarm === undefined || told.has(alarm)) return;
      told.add(alarm);
      note(`${alarm} (console: ${line.trim()})`);
    })
    .on('error', () => {
      // the port tells its own errors
    });
  port.on('error', (error) => lost(labFault(`the serial console ${device} fails`, [], error)));
  port.on('close', () => {
    if (!closing) lost(labFault(`the serial console ${device} went away`, ['look at the adapter and its cable']));
  });
  return {
    log: { name: 'console', read: async () => lines.map((line) => `${line}\n`).join('') },
    [Symbol.asyncDispose]: async () => {
      closing = true;
      if (!port.isOpen) return;
      const closed = once(port, 'close');
      port.close();
      await closed;
    },
  };
};
