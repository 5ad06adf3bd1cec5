import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installedWorker } from '../../scripts/installed-worker.ts';
import { testEnvironment } from '../../scripts/test-environment.ts';
import { labNamespaces } from '../../test/conformance/world/namespaces.ts';
import { type Subject, subjectVariable } from '../../test/conformance/world/subject.ts';
import type { Bench, Figure } from '../figure.ts';

/** A bench of the worker as it is installed: `file` of this folder runs in namespaces of its own and writes figures. */
export const inNamespaces = (name: string, about: string, file: string): Bench => ({
  name,
  about,
  run: async (say, signal) => {
    await using stack = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), 'oakb-'));
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    const subject: Subject = { ...(await installedWorker(folder)), all: true };
    say('in namespaces of its own');
    const output = join(folder, 'figures.json');
    const words = [...labNamespaces, process.execPath, join(import.meta.dirname, file), folder, output];
    const child = spawn('unshare', words, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, ...(await testEnvironment()), [subjectVariable]: JSON.stringify(subject) },
      signal,
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`the measurement ended with ${code}`);
    const figures: Figure[] = JSON.parse(await readFile(output, 'utf8'));
    return figures;
  },
});
