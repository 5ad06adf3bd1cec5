/**
 * A program of a guest whose instructions are counted: `node client.cjs HOST` prints what a request, a connection and a
 * megabyte to HOST cost; `node client.cjs sink` takes the megabytes. Whatever it does itself is counted as well, so it
 * does as little as it can, and the same for every way.
 */
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { readAnswer } from '../../../lab/load/raw-answer.ts';
import { median } from '../../../lab/report/model/statistics.ts';
import { executedInstructions } from '../../../lab/system/instructions.ts';
import type { Costs } from './records.ts';

const ports = { service: 80, sink: 5001 } as const;
const megabyte = 1024 * 1024;

/** Instructions since the guest was switched on, idle time included: for what never waits. */
const clock = (): number => Number(process.hrtime.bigint());

const executed = (): number => executedInstructions(fs.readFileSync('/proc/timer_list', 'utf8'));

type Rounds = { readonly warmUp: number; readonly counted: number };

/** The median cost of some work; what the work returns is done after each round, uncounted. */
const costOf = async (
  now: () => number,
  { warmUp, counted }: Rounds,
  work: () => Promise<(() => void) | undefined>,
): Promise<number> => {
  const samples: number[] = [];
  for (let round = -warmUp; round < counted; round++) {
    const began = now();
    const after = await work();
    const took = now() - began;
    if (round >= 0) samples.push(took);
    after?.();
    await new Promise(setImmediate);
  }
  return median(samples) ?? Number.NaN;
};

const requestTo = (host: string): Buffer => Buffer.from(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);

/** Bytes of the service's answer, which are the same each time. */
const answerLength = async (host: string): Promise<number> => {
  const socket = net.connect(ports.service, host);
  socket.write(requestTo(host));
  let bytes = Buffer.alloc(0);
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    const answer = readAnswer(bytes);
    if (answer === undefined) continue;
    if (answer.status !== 200) throw new Error(`the service answered ${answer.status}`);
    return bytes.length;
  }
  throw new Error('the service closed the connection');
};

const openService = async (host: string, length: number) => {
  const request = requestTo(host);
  const socket = net.connect(ports.service, host).setNoDelay(true);
  let received = 0;
  let answered = (): void => {};
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
    if (received < length) return;
    received = 0;
    answered();
  });
  await once(socket, 'connect');
  return {
    end: () => void socket.destroy(),
    ask: () =>
      new Promise<void>((resolve) => {
        answered = resolve;
        socket.write(request);
      }),
  };
};

const measure = async (host: string): Promise<Costs> => {
  const length = await answerLength(host);
  const kept = await openService(host, length);
  const request = await costOf(clock, { warmUp: 60, counted: 200 }, async () => {
    await kept.ask();
    return undefined;
  });
  kept.end();
  const connect = await costOf(clock, { warmUp: 30, counted: 100 }, async () => {
    const fresh = await openService(host, length);
    await fresh.ask();
    return fresh.end;
  });
  const sink = net.connect(ports.sink, host);
  await once(sink, 'connect');
  const bytes = Buffer.alloc(megabyte);
  const whole = await costOf(executed, { warmUp: 3, counted: 16 }, async () => {
    sink.write(bytes);
    await once(sink, 'data');
    return undefined;
  });
  sink.destroy();
  // to look at the counter is a cost of its own
  const look = await costOf(executed, { warmUp: 8, counted: 16 }, async () => undefined);
  return { request, connect, megabyte: whole - look };
};

/** Takes bytes, and sends one back for each megabyte. */
const serveSink = (): void => {
  const server = net.createServer((socket) => {
    let received = 0;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (received < megabyte) return;
      received -= megabyte;
      socket.write('x');
    });
  });
  server.listen(ports.sink, '0.0.0.0');
};

const [, , word = ''] = process.argv;
if (word === 'sink') serveSink();
else void measure(word).then((costs) => process.stdout.write(JSON.stringify(costs), () => process.exit()));
