import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installedWorker } from '../scripts/installed-worker.ts';
import { testEnvironment } from '../scripts/test-environment.ts';
import { labNamespaces } from '../test/conformance/namespaces.ts';
import { type Subject, subjectVariable } from '../test/conformance/subject.ts';
import type { Bench, Figure } from './figure.ts';

const bench: Bench = {
  name: 'worker',
  about: 'networks of instances against the same commands by hand, leaks, and what the daemons need',
  run: async (say, signal) => {
    await using stack = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), 'oakb-'));
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    const subject: Subject = { ...(await installedWorker(folder)), all: true };
    say('in namespaces of its own');
    const output = join(folder, 'figures.json');
    const inside = join(import.meta.dirname, 'worker-inside.ts');
    const child = spawn('unshare', [...labNamespaces, process.execPath, inside, folder, output], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, ...(await testEnvironment()), [subjectVariable]: JSON.stringify(subject) },
      signal,
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`the measurement ended with ${code}`);
    const figures: Figure[] = JSON.parse(await readFile(output, 'utf8'));
    return figures;
  },
};

export default bench;
