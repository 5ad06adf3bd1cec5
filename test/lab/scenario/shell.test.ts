import fc from 'fast-check';
import t from 'tap';
import { bindShell, type CommandRecord, type ScriptRun } from '../../../lab/scenario/targets/shell.ts';
import { parseCurl } from '../../../lab/scenario/targets/targets.ts';

t.test('a script goes to its place as one text, and nothing of it stays on this side', async (t) => {
  const scripts: string[] = [];
  const typed: CommandRecord[] = [];
  const run: ScriptRun = async (script) => {
    scripts.push(script);
    return { code: script.includes('fail') ? 3 : 0, stdout: 'out\n', stderr: 'err\n' };
  };
  const $ = bindShell(run, (command) => typed.push(command));
  const name = "it's; touch /tmp/never";
  const { stdout, stderr } = await $`echo ${name} | cat && id`;
  t.strictSame([stdout, stderr], ['out\n', 'err\n']);
  t.equal(scripts[0]?.trim(), `echo 'it'\\''s; touch /tmp/never' | cat && id`);
  const written = t.capture(process.stderr, 'write');
  t.match(await $`fail now`.catch((error: unknown) => error), { exitCode: 3, stderr: 'err\n' });
  t.strictSame(written(), [], 'the terminal belongs to the progress');
  t.equal((await $`fail now`.nothrow()).exitCode, 3);
  t.strictSame(typed[1], { command: 'fail now', code: 3, output: 'out\nerr\n' });
});

t.test('a place that cannot be reached is an error with its reason', async (t) => {
  const $ = bindShell(
    () => Promise.reject(new Error('the emulator ended')),
    () => {},
  );
  t.match(await $`true`.catch((error: unknown) => error), { exitCode: 255, stderr: /the emulator ended/ });
});

t.test('what curl prints is read as an answer', async (t) => {
  const token = fc.stringMatching(/^[a-z][a-z-]{0,10}$/);
  const value = fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/);
  fc.assert(
    fc.property(
      fc.integer({ min: 200, max: 599 }),
      fc.dictionary(token, value),
      fc.string({ unit: 'binary-ascii' }),
      (status, headers, body) => {
        const head = Object.entries(headers).map(([name, text]) => `${name.toUpperCase()}: ${text}\r\n`);
        const answer = parseCurl(`HTTP/1.1 ${status} Reason\r\n${head.join('')}\r\n${body}`);
        t.strictSame(
          { ...answer, headers: { ...answer.headers } },
          { status, headers: { ...headers }, body, bytes: Buffer.from(body) },
        );
      },
    ),
    { seed: 5, numRuns: 100 },
  );
  t.throws(() => parseCurl(''), { message: /not an HTTP answer/ });
  t.throws(() => parseCurl('HTTP/1.1 200 OK\r\n'), { message: /not an HTTP answer/ });
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        parseCurl(text);
      } catch (error) {
        return /not an HTTP answer/.test((error as Error).message);
      }
      return text.startsWith('HTTP/');
    }),
    { seed: 5 },
  );
});
