import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { bundleProgram } from '../../../../lab/scenario/deterministic/bundle.ts';
import { elfMachine } from '../../../../lab/system/elf.ts';
import { deadline } from '../../../../lab/system/wait.ts';
import { boot, noMachine } from '../../../lab/machine/qemu/boot.ts';
import { removeFolder } from '../../../support/files/remove.ts';
import { type Subject, subject, subjectVariable } from '../subject.ts';
import type { Said } from './run.ts';

/** What was said of all facts, or why none could be tested. */
export type Outcome = { readonly said: readonly Said[] } | { readonly skip: string };

const program = fileURLToPath(new URL('run.ts', import.meta.url));
const inNamespaces = ['unshare', '-nmpf', '--mount-proc', '--kill-child'] as const;
const chapterMs = 900_000;

const read = (text: string): readonly Said[] =>
  text.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Said] : []));

/** True where network namespaces of real root may have what the overlay of the kernel needs. */
const hasFou = async (): Promise<boolean> => {
  if (process.getuid?.() !== 0) return false;
  const { exitCode } = await execa('unshare', ['-n', 'ip', 'fou', 'add', 'port', '50103', 'gue'], { reject: false });
  return exitCode === 0;
};

const here = async (): Promise<Outcome> => {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'oako-'));
  stack.defer(() => removeFolder(folder));
  const [file, ...args] = [...inNamespaces, process.execPath, program, folder, '1'];
  const { stdout, stderr, exitCode } = await execa(file ?? '', args, { reject: false, timeout: chapterMs });
  const said = read(stdout);
  return { said: exitCode === 0 ? said : [...said, { error: `ended with ${exitCode}: ${stderr}` }] };
};

/** The net manager under test as a board's: its command there, and its files; or why it cannot run there. */
const onBoard = async ({ netManager: [first = '', ...rest] }: Subject) => {
  const isScript = first === process.execPath || basename(first) === 'node';
  const words = isScript ? rest : [first, ...rest];
  if (!isScript && (await elfMachine(first).catch(() => undefined)) !== 'aarch64')
    return `${first} is no program for the emulated board (aarch64)`;
  const files = new Map<string, Buffer>();
  const command: string[] = isScript ? ['/usr/bin/node'] : [];
  for (const [at, word] of words.entries()) {
    const content = word.includes('/') ? await readFile(word).catch(() => undefined) : undefined;
    if (content === undefined) command.push(word);
    else {
      const place = `/root/subject/${at}-${basename(word)}`;
      files.set(place, content);
      command.push(place);
    }
  }
  return { command, files };
};

const inGuest = async (): Promise<Outcome> => {
  const why = 'FOU, which the overlay needs, may not be made here';
  const there = await onBoard(subject);
  if (typeof there === 'string') return { skip: `${why}, and ${there}` };
  const missing = await noMachine();
  if (missing !== false) return { skip: `${why}, and there is no emulated board: ${missing}` };
  await using guest = await boot();
  const { machine } = guest;
  for (const [place, content] of there.files) await machine.writeFile(place, content, 0o755);
  await machine.writeFile('/root/chapter.cjs', await bundleProgram(program));
  const tested: Subject = { netManager: there.command, nodeEngine: ['none'], all: true };
  const { stdout, stderr, code } = await machine.exec(
    [...inNamespaces, '/usr/bin/node', '/root/chapter.cjs', '/root/lab', String(machine.timeoutFactor)],
    { env: { [subjectVariable]: JSON.stringify(tested) }, signal: deadline(chapterMs, 'the facts of the overlay') },
  );
  const said = read(stdout);
  return { said: code === 0 ? said : [...said, { error: `ended with ${code}: ${stderr}` }] };
};

/** Tests the chapter in namespaces where their kernel has FOU for them, on an emulated board elsewhere. */
export const runChapter = async (): Promise<Outcome> => ((await hasFou()) ? await here() : await inGuest());
