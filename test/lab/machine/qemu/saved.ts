import type { Test } from 'tap';
import { execOk, type Machine } from '../../../../lab/machine/machine.ts';

export const sh = (machine: Machine, script: string): Promise<string> => execOk(machine, ['sh', '-c', script]);

/** What a board that goes on after it was saved or restored has to be. */
export const goesOn = async (t: Test, machine: Machine): Promise<void> => {
  const clock = Number(await sh(machine, 'date +%s'));
  t.ok(Math.abs(Date.now() / 1000 - clock) < 30, `its clock is right: ${clock}`);
  await sh(machine, `ping -c 1 -W 10 ${machine.uplink.lab}`);
  await t.rejects(machine.readFile('/run/reseed'), 'what had to be run first is gone');
};

/** What no two boards may have in common. */
export const ownThings = async (machine: Machine): Promise<readonly string[]> => [
  await sh(machine, 'head -c 32 /dev/urandom | base64'),
  await sh(machine, 'cat /proc/sys/kernel/random/uuid'),
  await sh(machine, 'cat /proc/sys/kernel/random/boot_id'),
  await sh(machine, 'node -p "crypto.randomUUID()"'),
];
