import { once } from 'node:events';
import { SerialPort } from 'serialport';
import { labFault } from '../../../system/errors.ts';
import type { SerialLine } from './line.ts';

const baudRate = 115_200;

/** Opens a device of this computer. Throws a lab fault, with what to do, when that is not possible. */
export const openDevice = async (device: string): Promise<SerialLine> => {
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
  return {
    input: port,
    close: async () => {
      if (!port.isOpen) return;
      const closed = once(port, 'close');
      port.close();
      await closed;
    },
  };
};
