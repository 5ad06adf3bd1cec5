/**
 * The client of a load whose instructions are counted, as a program of its own: a plan on stdin, a result on stdout. It
 * does as little as it can, the same for every request, because whatever it does is counted too: one kept connection, the
 * same bytes sent each time, and an answer that is taken apart only when it is not the last one over again.
 */
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { executedInstructions } from '../system/instructions.ts';
import type { CountedLoad, CountedPlan } from './counted.ts';
import { type Answered, isSameAnswer, readAnswer } from './raw-answer.ts';

const executed = (): number => executedInstructions(fs.readFileSync('/proc/timer_list', 'utf8'));

/** The client's own processor time so far, in ns: instructions. */
const own = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
};

const main = async (): Promise<void> => {
  const { host, port, path, requests, warmUp, expect } = JSON.parse(await text(process.stdin)) as CountedPlan;
  const wanted = expect.body === undefined ? undefined : Buffer.from(expect.body, 'base64');
  const name = host.includes(':') ? `[${host}]` : host;
  const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${name}:${port}\r\n\r\n`);
  const socket = net.connect(port, host).setNoDelay(true);
  await once(socket, 'connect');
  let last: Answered | undefined;
  let part: Buffer | undefined;
  let answered = (_answer: Answered): void => {};
  socket.on('data', (chunk: Buffer) => {
    if (part === undefined && last !== undefined && isSameAnswer(last, chunk)) return answered(last);
    part = part === undefined ? chunk : Buffer.concat([part, chunk]);
    const whole = readAnswer(part);
    if (whole === undefined) return;
    [part, last] = [undefined, whole];
    answered(whole);
  });
  socket.once('close', () => {
    process.stderr.write('the service closed the connection\n');
    process.exit(1);
  });
  const ask = (): Promise<Answered> => {
    const answer = new Promise<Answered>((resolve) => {
      answered = resolve;
    });
    socket.write(request);
    return answer;
  };
  for (let n = 0; n < warmUp; n++) await ask();
  const took: number[] = [];
  const answers: Answered[] = [];
  const before = { executed: executed(), own: own() };
  for (let n = 0; n < requests; n++) {
    const began = process.hrtime.bigint();
    const answer = await ask();
    took.push(Number(process.hrtime.bigint() - began));
    answers.push(answer);
  }
  const after = { own: own(), executed: executed() };
  const result: CountedLoad = {
    took,
    instructions: after.executed - before.executed,
    client: after.own - before.own,
    wrongStatus: answers.filter(({ status }) => status !== expect.status).length,
    wrongBody: answers.filter(({ body }) => wanted !== undefined && !body.equals(wanted)).length,
  };
  process.stdout.write(JSON.stringify(result), () => process.exit());
};

void main();
