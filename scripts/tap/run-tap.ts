import { createWriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { testEnvironment } from '../test-environment.ts';
import { type Case, collect } from './tap-summary.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

type TapOptions = {
  /** Test files; all that .taprc includes when there are none. */
  readonly files: readonly string[];
  /** File for the raw output. */
  readonly raw: string;
  /** The most seconds for one file; .taprc has the usual one. */
  readonly timeout?: number | undefined;
  /** How many files run side by side; .taprc has the usual number. */
  readonly jobs?: number | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** Hears every line of the raw output as it comes. */
  readonly onLine: (line: string) => void;
};

/** Runs tests with what they need of this computer and resolves with how each of them went. */
export const runTap = async ({ files, raw, timeout, jobs, env, onLine }: TapOptions): Promise<readonly Case[]> => {
  const limits = [
    ...(timeout === undefined ? [] : [`--timeout=${timeout}`]),
    ...(jobs === undefined ? [] : [`--jobs=${jobs}`]),
  ];
  const child = execa('tap', ['--reporter=tap', ...limits, ...files], {
    cwd: root,
    env: { ...(await testEnvironment()), ...env },
    preferLocal: true,
    reject: false,
    buffer: false,
    stdin: 'ignore',
    stderr: 'inherit',
  });
  const log = createWriteStream(raw);
  for await (const line of child.iterable()) {
    log.write(`${line}\n`);
    onLine(line);
  }
  await child;
  await new Promise((resolve) => log.end(resolve));
  return collect(await fs.readFile(raw, 'utf8'));
};
