import fc from 'fast-check';
import t from 'tap';
import type { Expectation } from '../../../lab/report/model/results.ts';
import { bytesInWords, textIn } from '../../../lab/report/model/text.ts';
import { answerOf, expectAnswer, expectFirst } from '../../../lab/scenario/targets/answer.ts';
import { createExpect } from '../../../lab/scenario/targets/expect.ts';
import { labTarget, parseCurl } from '../../../lab/scenario/targets/targets.ts';
import { listen } from '../load/server.ts';
import { askedBoard } from './asked-board.ts';

/** How expectations about `body` are judged. */
const judged = (body: string | Buffer, wanted: string | Buffer | undefined): readonly Expectation[] => {
  const all: Expectation[] = [];
  const answer = answerOf(200, {}, Buffer.from(body));
  const expected = wanted === undefined ? { status: 200 } : { status: 200, body: Buffer.from(wanted) };
  expectAnswer(
    createExpect((one) => all.push(one)),
    answer,
    expected,
  );
  return all;
};

t.test('a body is compared as bytes', async (t) => {
  // both are the same replacement character as text
  const [one, other] = [Buffer.from([0x66, 0xff, 0x0a]), Buffer.from([0x66, 0xfe, 0x0a])];
  t.match(judged(one, one), [{ verdict: 'passed' }, { verdict: 'passed' }]);
  t.match(judged(one, other), [
    { verdict: 'passed' },
    { verdict: 'failed', expected: '3 bytes that are no text: 66 fe 0a', actual: '3 bytes that are no text: 66 ff 0a' },
  ]);
});

t.test('a newline at the end is shown where it is the difference', async (t) => {
  t.match(judged('hello', 'hello\n')[1], { verdict: 'failed', expected: '"hello\\n"', actual: '"hello"' });
  t.match(judged('hello\r\n', 'hello\n')[1], { verdict: 'failed', expected: '"hello\\n"', actual: '"hello\\r\\n"' });
  t.match(judged('hello', 'world')[1], { verdict: 'failed', expected: 'world', actual: 'hello' });
});

t.test('of a body that may be anything the length is in the report', async (t) => {
  t.match(judged('12:04:05', undefined), [{ verdict: 'passed' }, { name: 'a body of any content: 8 bytes' }]);
});

t.test('what comes first is what has to come later, unless it is known or may change', async (t) => {
  const expect = createExpect(() => {});
  const answer = answerOf(404, {}, Buffer.from('first'));
  const wanted = { path: '/', status: 404, anyBody: false };
  t.strictSame(expectFirst(expect, answer, wanted), { status: 404, body: Buffer.from('first') });
  const known = Buffer.from('known');
  t.strictSame(expectFirst(expect, answer, { ...wanted, body: known }), { status: 404, body: known });
  t.strictSame(expectFirst(expect, answer, { ...wanted, anyBody: true }), { status: 404 });
});

t.test('bytes come from the lab and from a board as they were sent', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_unused, index) => index));
  await using server = await listen((_request, response) => {
    response.setHeader('content-type', 'image/png').end(bytes);
  });
  const { get } = labTarget(askedBoard([], []), () => {}, AbortSignal.timeout(120_000));
  t.match(await get(server.url), { status: 200, headers: { 'content-type': 'image/png' }, bytes });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (body) => {
      const printed = `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nx: y\r\n\r\n${Buffer.from(body).toString('latin1')}`;
      const answer = parseCurl(printed);
      return answer.status === 200 && answer.bytes.equals(body);
    }),
  );
});

t.test('bytes are shown as text where they are text', async (t) => {
  t.equal(bytesInWords(Buffer.from('grün\n')), 'grün\n');
  t.equal(bytesInWords(Buffer.from('\u001b[31mred')), '8 bytes that are no text: 1b 5b 33 31 6d 72 65 64');
  t.equal(bytesInWords(Buffer.alloc(100)), `100 bytes that are no text:${' 00'.repeat(32)} …`);
  // a cut must not make a text of umlauts into one that is none
  for (const most of [1, 2, 3, 4]) t.ok(textIn(Buffer.from('üüü').subarray(0, most), true) !== undefined);
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const shown = textIn(Buffer.from(text));
      return shown === undefined ? /\p{Cc}/u.test(text) || !text.isWellFormed() : shown === text;
    }),
  );
});
