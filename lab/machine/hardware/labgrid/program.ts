/**
 * Gives back what a run has at a coordinator when its lab is killed: `program.ts RUN` waits for the end of its stdin, which
 * the lab holds open as long as it lives. What it cannot give back stays recorded for the next lab.
 */
import { text } from 'node:stream/consumers';
import { giveBackClaim } from './leftovers.ts';

const [run = ''] = process.argv.slice(2);
await text(process.stdin);
await giveBackClaim(run);
