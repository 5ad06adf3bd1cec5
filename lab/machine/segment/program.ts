/**
 * The switch as a program of its own, so that neither a busy lab slows its frames nor a lab that ends takes the network
 * of kept machines along: `program.ts FOLDER BOARD…` listens at `FOLDER/BOARD.sock`. It reads and answers one line of
 * JSON for each order; its first answer says that it listens.
 */
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseJson } from '../../../worker/contract/check.ts';
import { SwitchOrder } from './conditions.ts';
import { EthernetSwitch } from './switch.ts';

const [folder = '.', ...boards] = process.argv.slice(2);
const ethernet = new EthernetSwitch();
for (const board of boards) await ethernet.listen(board, path.join(folder, `${board}.sock`));
const say = (answer: object) => process.stdout.write(`${JSON.stringify(answer)}\n`);
// the lab may be gone when it is answered: the boards go on
process.stdout.on('error', () => {});
say({ listening: boards.length });
createInterface({ input: process.stdin }).on('line', (line) => {
  const { link, conditions } = parseJson(SwitchOrder, line, 'an order to the switch');
  say({ link, counts: ethernet.change(link, conditions) });
});
