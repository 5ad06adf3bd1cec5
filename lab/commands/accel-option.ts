import { Option } from 'commander';
import { acceleratorChoices } from '../machine/kind.ts';

/** The option by which a user chooses what runs a board's instructions. */
export const accelOption = (): Option =>
  new Option('--accel <how>', 'run the board in QEMU by KVM, by TCG (emulated), or by KVM where it is usable (auto)')
    .choices(acceleratorChoices)
    .default('auto');
