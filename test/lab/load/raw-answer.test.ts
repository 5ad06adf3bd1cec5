import fc from 'fast-check';
import t from 'tap';
import { countedPlan } from '../../../lab/load/counted.ts';
import { isSameAnswer, readAnswer } from '../../../lab/load/raw-answer.ts';

const sized = (status: number, body: Uint8Array, head = ''): Buffer =>
  Buffer.concat([Buffer.from(`HTTP/1.1 ${status} X\r\n${head}Content-Length: ${body.length}\r\n\r\n`), body]);

const chunked = (status: number, chunks: readonly Uint8Array[]): Buffer =>
  Buffer.concat([
    Buffer.from(`HTTP/1.1 ${status} X\r\ntransfer-encoding: chunked\r\n\r\n`),
    ...chunks.flatMap((chunk) => [Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]),
    Buffer.from('0\r\n\r\n'),
  ]);

const bodies = fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 5 });

t.test('an answer is whole when its last byte has come, and not before', async (t) => {
  fc.assert(
    fc.property(bodies, fc.integer({ min: 200, max: 599 }), fc.boolean(), (chunks, status, isChunked) => {
      const body = Buffer.concat(chunks);
      const bytes = isChunked ? chunked(status, chunks) : sized(status, body);
      const whole = readAnswer(bytes);
      t.equal(whole?.status, status);
      t.ok(whole?.body.equals(body));
      for (let length = 0; length < bytes.length; length++)
        if (readAnswer(bytes.subarray(0, length)) !== undefined) return false;
      return true;
    }),
    { numRuns: 50 },
  );
});

t.test('an answer with another date is the same, one with another status or body is not', async (t) => {
  const first = readAnswer(sized(200, Buffer.from('hello'), 'date: Mon, 01\r\n'));
  if (first === undefined) throw new Error('the answer is whole');
  t.ok(isSameAnswer(first, sized(200, Buffer.from('hello'), 'date: Tue, 02\r\n')));
  t.notOk(isSameAnswer(first, sized(500, Buffer.from('hello'), 'date: Mon, 01\r\n')));
  t.notOk(isSameAnswer(first, sized(200, Buffer.from('hallo'), 'date: Mon, 01\r\n')));
  t.notOk(isSameAnswer(first, sized(200, Buffer.from('hello!'), 'date: Mon, 01\r\n')));
});

t.test('an answer that ends with its connection is refused', async (t) => {
  t.throws(() => readAnswer(Buffer.from('HTTP/1.1 200 OK\r\n\r\nhello')), /does not say where it ends/);
});

t.test('a plan has the address, the path and the query of its URL', async (t) => {
  const counts = { requests: 1, warmUp: 0 };
  t.match(countedPlan('http://[fd00::1]:8080/a?b=c', { status: 200 }, counts), {
    host: 'fd00::1',
    port: 8080,
    path: '/a?b=c',
  });
  t.match(countedPlan('http://10.0.0.2/', { status: 200, body: 'x' }, counts), { port: 80, expect: { body: 'eA==' } });
});
