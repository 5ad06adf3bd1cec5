import { spawn } from 'node:child_process';
import { once } from 'node:events';
import autocannon from 'autocannon';
import { keepAlive } from '../lab/load/closed-loop.ts';
import { Tally } from '../lab/load/tally.ts';

const body = 'Hello, wasi:http/proxy world!\n';
const server = `
const http = require('node:http').createServer((_, response) => response.end(${JSON.stringify(body)}));
http.listen(0, '127.0.0.1', () => console.log(http.address().port));
process.stdin.on('end', () => process.exit()).resume();
`;
const connections = 4;

/** Runs a load and resolves with the CPU time of this process a request, in microseconds. */
const cpuPerRequest = async (load: () => Promise<number>): Promise<number> => {
  const before = process.cpuUsage();
  const sent = await load();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / sent;
};

/** A load of which nothing is recorded but how many requests were sent. */
const bare = (url: string, ms: number) => async (): Promise<number> =>
  (await autocannon({ url, connections, duration: ms / 1000, sampleInt: 20 })).requests.sent;

/** The same load with every response's latency, status and body recorded. */
const recorded = (url: string, ms: number, signal: AbortSignal) => async (): Promise<number> => {
  const tally = new Tally({ status: 200, body });
  await keepAlive({ url, connections, timeoutMs: 5000, signal }, ms, tally);
  return tally.sent;
};

/**
 * What recording costs the load generator: its CPU time a request with everything recorded over that with nothing
 * recorded, one sample a pair, in alternating order.
 */
export const recordingCost = async (pairs: number, ms: number, signal: AbortSignal): Promise<readonly number[]> => {
  await using stack = new AsyncDisposableStack();
  const child = spawn(process.execPath, ['-e', server], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  stack.defer(async () => {
    child.stdin.end();
    await ended;
  });
  const [port] = await once(child.stdout, 'data');
  const url = `http://127.0.0.1:${String(port).trim()}/`;
  const loads = { bare: bare(url, ms), recorded: recorded(url, ms, signal) };
  // until the compiler has seen both
  for (const load of Object.values(loads)) await load();
  const ratios: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const order = pair % 2 === 0 ? (['bare', 'recorded'] as const) : (['recorded', 'bare'] as const);
    const cpu = { bare: 0, recorded: 0 };
    for (const kind of order) cpu[kind] = await cpuPerRequest(loads[kind]);
    ratios.push(cpu.recorded / cpu.bare);
  }
  return ratios;
};
