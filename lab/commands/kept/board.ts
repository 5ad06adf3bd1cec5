import type { Command } from 'commander';
import type { KeptMachine } from '../../machine/kept.ts';
import { openKept } from '../../machine/machines.ts';
import { ask } from '../../standing/channel.ts';
import { chooseLab, endedFault } from '../../standing/choose.ts';
import { findLabs, reachable } from '../../standing/client.ts';
import type { LabRecord } from '../../standing/registry.ts';
import { messageOf, usageFault } from '../../system/errors.ts';
import { keptRuns } from '../../system/runs.ts';
import { keptBoard } from './kept.ts';

/** Which board a command means: that of a standing lab, or one that a run left. */
export type BoardFlags = { readonly lab?: string; readonly id?: string; readonly board?: string };

/** Adds the options that say which board a command means. */
export const addBoardOptions = (command: Command): Command =>
  command
    .option('--lab <name>', 'the board of this standing lab (default: the only one)')
    .option('--id <id>', 'a kept machine (default, when no lab stands: the newest)')
    .option('--board <name>', 'which board, of several: board-1, board-2, …');

/** A board that is asked from here. */
export type OpenBoard = {
  readonly id: string;
  readonly description: string;
  readonly machine: KeptMachine;
  /** The standing lab that it belongs to. */
  readonly lab?: LabRecord;
};

const boardOf = async (lab: LabRecord): Promise<OpenBoard> => {
  const { id, name, machine: kind, folder } = reachable(lab);
  const exec: KeptMachine['exec'] = (argv, signal) => ask(folder, { do: 'exec', argv: [...argv] }, signal);
  return { id, description: `lab '${name}' on ${kind}`, machine: await openKept(folder, exec), lab };
};

/** The standing lab that is meant, if one is: a kept machine that is named comes first. */
const labFor = async ({ lab, id, board }: BoardFlags): Promise<LabRecord | undefined> => {
  if (lab !== undefined && (id ?? board) !== undefined)
    throw usageFault('--lab names a standing lab: leave out --id and --board');
  if ((id ?? board) !== undefined) return undefined;
  const found = await findLabs();
  const others = lab === undefined && found.living.length === 0 ? await keptRuns() : [];
  if (others.length === 0) return chooseLab(lab, found);
  for (const one of found.ended) process.stderr.write(`${messageOf(endedFault(one))}\n`);
  return undefined;
};

/** The board that a command means. Throws a usage fault when there is none. */
export const openBoard = async (flags: BoardFlags): Promise<OpenBoard> => {
  const lab = await labFor(flags);
  if (lab) return await boardOf(lab);
  const run = await keptBoard(flags.id, flags.board);
  return { id: run.id, description: run.what, machine: await openKept(run.folder) };
};
