import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import fs from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { labFault, usageFault } from '../system/errors.ts';
import { listRuns, processesOf, reapRuns, removeRun, runMark } from '../system/runs.ts';
import { deadline, until } from '../system/wait.ts';
import { ask } from './channel.ts';
import { chooseLab, type FoundLabs } from './choose.ts';
import type { LabStatus } from './protocol.ts';
import { forgetLab, isStanding, type LabRecord, logFile, registeredLabs } from './registry.ts';

const downMs = 60_000;
const gatewayMs = 20_000;
const gatewayProgram = fileURLToPath(new URL('./gateway/program.ts', import.meta.url));

/** What a lab's process said last: an error, above its stack trace, or its last line. */
const lastWords = async (id: string): Promise<string> => {
  const text = await fs.readFile(logFile(id), 'utf8').catch(() => '');
  const lines = text.trimEnd().split('\n');
  const said = lines.findLast((line) => line.startsWith('lab: ')) ?? lines.at(-1) ?? '';
  return said === '' ? '' : `; it said last: ${said}`;
};

/**
 * All labs of this user. What is left of those whose process has ended is removed, and they are returned this once with
 * the reason.
 */
export const findLabs = async (): Promise<FoundLabs> => {
  const labs = await registeredLabs();
  const gone = labs.filter(({ living }) => !living);
  if (gone.length > 0) await reapRuns();
  const ended = await Promise.all(
    gone.map(async ({ living: _, ...lab }) => {
      const words = await lastWords(lab.id);
      await forgetLab(lab);
      const reason = `its process was killed, or this computer was started anew${words}`;
      return { ...lab, ended: lab.ended ?? { at: new Date().toISOString(), reason } };
    }),
  );
  return { living: labs.filter(({ living }) => living), ended };
};

/** The lab that a command means, to be asked from here. Throws a usage fault where none stands. */
export const openLab = async (wanted: string | undefined): Promise<LabRecord> => {
  const lab = chooseLab(wanted, await findLabs());
  if (lab === undefined) throw usageFault('no lab stands', ['npm run lab -- up']);
  return reachable(lab);
};

/** A lab whose folder is in sight. Two containers may share a cache and nothing else. */
export const reachable = (lab: LabRecord): LabRecord => {
  if (existsSync(lab.folder)) return lab;
  throw usageFault(`the lab '${lab.name}' on ${lab.machine} is in another container, or just ending`);
};

/**
 * How a lab is, with a gateway where its addresses need one: that is a process of this computer's own network, which
 * only somebody outside of the lab can start.
 */
export const statusOf = async ({ folder, id }: LabRecord, signal: AbortSignal): Promise<LabStatus> => {
  const now = () => ask(folder, { do: 'status' }, signal);
  const status = await now();
  if (status.gateway !== false) return status;
  const child = spawn(process.execPath, [...process.execArgv, gatewayProgram, folder], {
    cwd: '/',
    env: { ...process.env, [runMark]: id },
    detached: true,
    stdio: 'ignore',
  });
  const failed = Promise.withResolvers<never>();
  child
    .once('error', failed.reject)
    .once('exit', (code) => failed.reject(labFault(`the lab's gateway ended with ${code}`)));
  child.unref();
  const there = async () => {
    const again = await now();
    return again.gateway ? again : undefined;
  };
  return await Promise.race([failed.promise, until(there, deadline(gatewayMs, "the lab's gateway", signal))]);
};

/** Ends a lab: as it is asked to, or by force when it does not answer. Resolves when nothing of it is left. */
export const endLab = async (lab: LabRecord, signal: AbortSignal): Promise<void> => {
  const { name, id, folder } = lab;
  // its process goes on for a moment after it has given everything back
  const over = async () => (!(await isStanding(name)) && (await processesOf(id)).length === 0) || undefined;
  const ends = deadline(downMs, `the end of the lab '${name}'`, signal);
  try {
    await ask(folder, { do: 'down' }, ends);
    await until(over, ends);
  } catch (error) {
    signal.throwIfAborted();
    const run = (await listRuns()).find((one) => one.id === id);
    const removed = run === undefined ? !(await isStanding(name)) : await removeRun(run);
    if (!removed) throw labFault(`the lab '${name}' cannot be ended from here`, [], error);
    await forgetLab(lab);
  }
};
