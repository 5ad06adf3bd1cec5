import fs from 'node:fs/promises';
import fc from 'fast-check';
import t from 'tap';
import { execOk } from '../../../../lab/machine/machine.ts';
import { bindShell } from '../../../../lab/scenario/targets/shell.ts';
import { until } from '../../../../lab/system/wait.ts';
import { privateCache } from '../../../support/files/private.ts';
import { askFromBoard, boot, noMachine } from './boot.ts';

const reason = await noMachine();

t.test('a board in QEMU', { skip: reason }, async (t) => {
  await using _ = await privateCache();
  await using board = await boot();
  const { machine, id } = board;
  const soon = () => AbortSignal.timeout(180_000);

  await t.test('is what it says it is', async (t) => {
    t.equal((await execOk(machine, ['uname', '-m'])).trim(), machine.architecture);
    t.equal(machine.fidelity, 'emulated');
    t.notOk(machine.capabilities.has('performance'), 'an emulator measures nothing');
    t.notOk(machine.lost.aborted);
    t.match(await machine.logs.find(({ name }) => name === 'console')?.read(), /\S/);
  });

  await t.test('arguments arrive untouched, whatever is in them', async () => {
    // QEMU's JSON takes no code points that stand for no character
    const word = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
    const hostile = [['', ' ', "it's", '"$(reboot)"', '`id`', '-n', '--help', '\n', '\\', '*', '~', '$HOME', ';', '→']];
    await fc.assert(
      fc.asyncProperty(fc.array(word, { minLength: 1, maxLength: 6 }), async (words) => {
        const { code, stdout } = await machine.exec(['printf', '%s\\n.\\n', ...words]);
        return code === 0 && stdout === words.map((text) => `${text}\n.\n`).join('');
      }),
      { seed: 13, numRuns: 12, examples: hostile.map((words) => [words] as [string[]]) },
    );
  });

  await t.test('an argument that the agent cannot take is refused, not waited for', async (t) => {
    await t.rejects(machine.exec(['echo', '\uffff'], { signal: soon() }), { name: 'AgentError', message: /JSON/ });
    t.equal((await execOk(machine, ['echo', 'still there'])).trim(), 'still there');
  });

  await t.test('exit codes, signals, both outputs, input and environment', async (t) => {
    t.strictSame(await machine.exec(['sh', '-c', 'echo out; echo err >&2; exit 41']), {
      ...{ code: 41, stdout: 'out\n', stderr: 'err\n' },
    });
    t.equal((await machine.exec(['sh', '-c', 'kill -TERM $$'])).code, 128 + 15);
    t.strictSame(await machine.exec(['cat'], { stdin: 'a\nbü\n' }), { code: 0, stdout: 'a\nbü\n', stderr: '' });
    t.equal((await machine.exec(['cat'], { stdin: 'y'.repeat(200_000) })).stdout.length, 200_000);
    t.equal((await machine.exec(['sh', '-c', 'echo "$X"'], { env: { X: "a'b c" } })).stdout, "a'b c\n");
    const missing = await machine.exec(['no-such-program']);
    t.not(missing.code, 0);
    t.match(missing.stderr, /no-such-program/);
  });

  await t.test('many commands at once all get their own answers', async (t) => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_unused, index) =>
        machine.exec(['sh', '-c', `sleep 0.$((${index} % 3)); echo ${index}`]),
      ),
    );
    t.strictSame(
      answers.map(({ stdout }) => stdout),
      answers.map((_answer, index) => `${index}\n`),
    );
    t.equal((await execOk(machine, ['echo', 'still there'])).trim(), 'still there');
  });

  await t.test('an abort ends the program on the board with all that it started', async (t) => {
    const running = async () => (await machine.exec(['pgrep', '-c', '-f', '^sleep 54321'])).stdout.trim();
    const abort = new AbortController();
    const command = machine.exec(['sh', '-c', 'sleep 54321 & sleep 54321 & wait'], { signal: abort.signal });
    const rejected = t.rejects(command, { message: /enough|aborted/ });
    await until(async () => ((await running()) === '2' ? true : undefined), soon());
    abort.abort(new Error('enough'));
    await rejected;
    await until(async () => ((await running()) === '0' ? true : undefined), soon());
    t.equal((await execOk(machine, ['echo', 'still there'])).trim(), 'still there', 'the board goes on');
    await t.rejects(machine.exec(['true'], { signal: AbortSignal.abort(new Error('before')) }), { message: 'before' });
  });

  await t.test('files go in and come out as they are', async (t) => {
    const bytes = Buffer.from(Array.from({ length: 200_001 }, (_unused, index) => (index * 7) % 256));
    await machine.writeFile("/tmp/a folder/it's new/file", bytes, 0o640);
    t.ok((await machine.readFile("/tmp/a folder/it's new/file")).equals(bytes));
    t.equal((await execOk(machine, ['stat', '-c', '%a', "/tmp/a folder/it's new/file"])).trim(), '640');
    await machine.writeFile('/tmp/empty', '');
    t.equal((await machine.readFile('/tmp/empty')).length, 0);
    await machine.writeFile('/tmp/empty', 'not any more');
    t.equal((await machine.readFile('/tmp/empty')).toString(), 'not any more');
    await t.rejects(machine.readFile('/tmp/none'), { message: /cannot read \/tmp\/none on the board/ });
  });

  await t.test("zx's commands run on the board, and nothing of them here", async (t) => {
    const $ = bindShell(
      (script, signal) => machine.exec(['sh', '-c', script], { signal }),
      () => {},
    );
    const file = `/tmp/lab-test-${id}; echo`;
    await $`echo ${"it's"} > ${file} && cat ${file} | tr a-z A-Z`.then(({ stdout }) => t.equal(stdout, "IT'S\n"));
    await t.rejects(fs.stat(file), { code: 'ENOENT' });
    t.equal((await $`uname -m`).stdout.trim(), 'aarch64');
  });

  await t.test('the board and this computer reach each other', async (t) => {
    const serve = machine.exec(['busybox', 'nc', '-l', '-p', '8000'], {
      stdin: 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nyes',
    });
    await until(
      async () => ((await machine.exec(['ss', '-Hltn', 'sport', '=', ':8000'])).stdout !== '' ? true : undefined),
      soon(),
    );
    const { host, port } = await machine.forward(8000);
    t.equal(await (await fetch(`http://${host}:${port}/`)).text(), 'yes');
    await serve;

    t.equal(await askFromBoard(machine, 'hello board'), 'hello board');
  });

  await t.test('when it is killed, whoever waits for it learns that at once, and why', async (t) => {
    const waiting = t.rejects(machine.exec(['sleep', '1000']), {
      fault: 'lab',
      message: /the emulator was ended by SIGKILL/,
    });
    const pids = (await fs.readdir('/proc')).filter((name) => /^\d+$/.test(name));
    for (const pid of pids) {
      const command = await fs.readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (command.split('\0').includes(`lab-${id}`)) process.kill(Number(pid), 'SIGKILL');
    }
    await waiting;
    t.ok(machine.lost.aborted);
    await t.rejects(machine.exec(['true']), { message: /the emulator was ended by SIGKILL/ });
    await t.rejects(machine.forward(80), { message: /emulator/ });
    await t.rejects(machine.readFile('/etc/hosts'), { message: /emulator/ });
  });
});
