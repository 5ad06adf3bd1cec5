/** The load generator as a program of its own, for a place where the lab is not: a plan on stdin, a result on stdout. */
import { text } from 'node:stream/consumers';
import { encodeIntoCompressedBase64 } from 'hdr-histogram-js';
import { runLoad } from './load.ts';
import type { WrittenPlan } from './remote.ts';

const { expect, ...plan } = JSON.parse(await text(process.stdin)) as WrittenPlan;
const { status, body } = expect;
const { latency, lateness, ...counted } = await runLoad({
  ...plan,
  expect: { status, ...(body === undefined ? {} : { body: Buffer.from(body, 'base64') }) },
  signal: new AbortController().signal,
});
const encoded = {
  hdr: encodeIntoCompressedBase64(latency),
  ...(lateness && { lateness: encodeIntoCompressedBase64(lateness) }),
};
process.stdout.write(JSON.stringify({ ...counted, ...encoded }));
process.exit();
