import fc from 'fast-check';
import t from 'tap';
import { frame, unframe } from '../../../../lab/machine/hardware/ssh/frame.ts';
import { runProgram } from '../../../../lab/system/process.ts';

const env = { PATH: process.env['PATH'] ?? '' };

t.test('whatever a shell prints before and after, a program says what it says', async (t) => {
  const words = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(words, words, words, words, fc.integer({ min: 0, max: 255 }), (before, out, err, later, code) => {
      const framed = frame(['true'], {});
      const mark = `\n${framed.begin}\n`;
      const came = unframe(framed, {
        code: 3,
        stdout: Buffer.concat([before, Buffer.from(mark), out, Buffer.from(`\n${framed.end} ${code}\n`), later]),
        stderr: Buffer.concat([later, Buffer.from(mark), err]),
      });
      return came.ended && came.code === code && came.stdout.equals(out) && came.stderr.equals(err);
    }),
  );
  t.match(unframe(frame(['true'], {}), { code: 1, stdout: Buffer.from('hello'), stderr: Buffer.from('no') }), {
    ...{ began: false, ended: false, code: 1, stdout: Buffer.from('hello'), stderr: Buffer.from('no') },
  });
});

t.test('words and variables arrive as they are', async (t) => {
  const text = fc.string({ unit: 'binary' }).filter((one) => !one.includes('\0') && one.isWellFormed());
  await fc.assert(
    fc.asyncProperty(fc.array(text, { maxLength: 4 }), text, async (argv, value) => {
      const framed = frame(['sh', '-c', 'printf "%s\\0" "$X" "$@"', 'sh', ...argv], { X: value });
      const finished = await runProgram(['sh', '-c', `echo greeting; ${framed.line}`], { env });
      const { code, stdout } = unframe(framed, finished);
      t.equal(code, 0);
      t.equal(stdout.toString('utf8'), [value, ...argv].map((one) => `${one}\0`).join(''));
    }),
    { numRuns: 20 },
  );
});
