import fs from 'node:fs/promises';
import path from 'node:path';
import Type, { type Static } from 'typebox';
import { parseJson } from '../../../../worker/contract/check.ts';
import { messageOf } from '../../../system/errors.ts';
import { cachePath, writeAtomically } from '../../../system/files/cache.ts';
import { isRunLiving } from '../../../system/runs.ts';
import { abortable, deadline } from '../../../system/wait.ts';
import type { Coordinator } from './coordinator.ts';

/** What a run has at a coordinator bears its owner's name, which no other run has. */
const Claim = Type.Object({ run: Type.String(), coordinator: Type.String(), owner: Type.String() });
export type Claim = Static<typeof Claim>;

/** Beside the records of runs: both have the same life, and the same processes share them. */
const folder = (): string => cachePath('runs');
const ending = '.labgrid';
const claimFile = (run: string): string => path.join(folder(), `${run}${ending}`);

/** Records what a run may have from now on. */
export const recordClaim = async (claim: Claim): Promise<void> => {
  await fs.mkdir(folder(), { recursive: true });
  await writeAtomically(claimFile(claim.run), `${JSON.stringify(claim)}\n`);
};

/**
 * Gives back all that an owner has: a coordinator keeps a place acquired when its client goes away, and a reservation
 * for a minute. Returns the names of the places.
 */
export const giveBack = async (coordinator: Coordinator, { owner, run }: Claim): Promise<readonly string[]> => {
  const places = (await coordinator.places()).filter(({ acquired }) => acquired === owner);
  for (const { name } of places) await coordinator.release(name, owner);
  const reservations = (await coordinator.reservations()).filter((one) => one.owner === owner);
  for (const { token } of reservations) await coordinator.cancel(token);
  await fs.rm(claimFile(run), { force: true });
  return places.map(({ name }) => name);
};

/** What came of a claim that a run left: the places that were given back, or why they could not be. */
export type Left = Claim & { readonly places: readonly string[]; readonly problem?: string };

/** How long a coordinator may take to answer at all, in ms: whoever waits wants something else. */
const reachMs = 5_000;

const giveBackLeft = async (claim: Claim): Promise<Left> => {
  const { openCoordinator } = await import('./coordinator.ts');
  using coordinator = openCoordinator(claim.coordinator);
  try {
    await abortable(coordinator.places(), deadline(reachMs, 'its answer'));
    return { ...claim, places: await giveBack(coordinator, claim) };
  } catch (error) {
    return { ...claim, places: [], problem: messageOf(error) };
  }
};

/** A claim; undefined for a file that is gone meanwhile, damaged or another version's. */
const readClaim = async (file: string): Promise<Claim | undefined> => {
  try {
    return parseJson(Claim, await fs.readFile(file, 'utf8'), file);
  } catch {
    return undefined;
  }
};

/** Gives back what runs left that were killed, or that did not reach their coordinator at their end. */
export const giveBackLeftovers = async (): Promise<readonly Left[]> => {
  const names = (await fs.readdir(folder()).catch(() => [])).filter((name) => name.endsWith(ending));
  const left: Left[] = [];
  for (const name of names.toSorted()) {
    const claim = await readClaim(path.join(folder(), name));
    if (claim === undefined || (await isRunLiving(claim.run))) continue;
    // one that did not answer is not asked again for each run
    const silent = left.find(({ coordinator, problem }) => coordinator === claim.coordinator && problem !== undefined);
    left.push(silent === undefined ? await giveBackLeft(claim) : { ...silent, ...claim });
  }
  return left;
};
