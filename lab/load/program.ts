/** The load generator as a program of its own, for a place where the lab is not: a plan on stdin, a result on stdout. */
import { text } from 'node:stream/consumers';
import { encodeIntoCompressedBase64 } from 'hdr-histogram-js';
import { type LoadPlan, runLoad } from './load.ts';

const plan = JSON.parse(await text(process.stdin)) as Omit<LoadPlan, 'signal'>;
const { latency, lateness, ...counted } = await runLoad({ ...plan, signal: new AbortController().signal });
const encoded = {
  hdr: encodeIntoCompressedBase64(latency),
  ...(lateness && { lateness: encodeIntoCompressedBase64(lateness) }),
};
process.stdout.write(JSON.stringify({ ...counted, ...encoded }));
process.exit();
