import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Architecture } from '../../../system/elf.ts';
import { fetchBinutils } from '../../../system/packages/binutils.ts';
import type { ExecOptions } from '../../machine.ts';
import type { GuestAgent } from '../agent.ts';

/** Where the program lies in a guest from before it is saved until it goes on. */
const program = '/run/reseed';
const seedBytes = 64;

/** Assembles the program that makes the kernel use new entropy at once, which no program of the image can. */
const assembleReseed = async (architecture: Architecture, folder: string, signal: AbortSignal): Promise<Buffer> => {
  const source = fileURLToPath(new URL(`reseed-${architecture}.s`, import.meta.url));
  const { program: toolFor } = await fetchBinutils(architecture, signal);
  const run = (name: 'as' | 'ld', args: readonly string[]) => {
    const tool = toolFor(name);
    return execa(tool.file, [...tool.args, ...args], { cancelSignal: signal });
  };
  const [object, linked] = [path.join(folder, 'reseed.o'), path.join(folder, 'reseed')];
  await run('as', ['-o', object, source]);
  await run('ld', ['-n', '-o', linked, object]);
  return await fs.readFile(linked);
};

/** Runs a script in a guest. Throws with what it printed when it does not succeed. */
const runScript = async (agent: GuestAgent, script: string, options: ExecOptions): Promise<void> => {
  const { code, stderr } = await agent.exec(['sh', '-c', script], options);
  if (code !== 0) throw new Error(`'${script}' on the board ended with ${code}: ${stderr.trim()}`);
};

/** Puts into a guest what {@link refresh} needs. `folder` is for temporary files. */
export const prepareRefresh = async (
  agent: GuestAgent,
  architecture: Architecture,
  folder: string,
  signal: AbortSignal,
): Promise<void> => {
  await agent.writeFile(program, await assembleReseed(architecture, folder, signal));
  await runScript(agent, `chmod 755 ${program}`, { signal });
};

/**
 * Gives a guest that goes on after it was saved entropy of its own and the time. Every guest that is restored from one
 * file would otherwise have the same random numbers to come, and the time at which it was saved.
 */
export const refresh = async (agent: GuestAgent, signal: AbortSignal): Promise<void> => {
  const now = (Date.now() / 1000).toFixed();
  const steps = ['cat >/dev/random', `${program} </dev/random`, `rm ${program}`, `date -s @${now}`];
  await runScript(agent, steps.join(' && '), { stdin: randomBytes(seedBytes), signal });
};
