import type { RunFolder } from '../../system/runs.ts';
import type { HardwareDefinition, MachineDefinition } from './definition.ts';
import { type Wanted, wantedWords } from './labgrid/choose.ts';
import { powerPort } from './labgrid/power.ts';
import { boardOf } from './labgrid/resources.ts';

type Labgrid = NonNullable<MachineDefinition['labgrid']>;

const wantedBy = (labgrid: Labgrid): Wanted => {
  if (typeof labgrid === 'string') return { place: labgrid };
  return labgrid.place === undefined ? { tags: labgrid.tags ?? {} } : { place: labgrid.place };
};

/** Which place a machine file names, in words. */
export const placeOf = ({ labgrid }: MachineDefinition): string => wantedWords(wantedBy(labgrid ?? ''));

export type ResolveOptions = {
  readonly definition: MachineDefinition;
  readonly run: RunFolder;
  readonly say: (text: string) => void;
  readonly note: (text: string) => void;
  /** Told when the board is taken away. */
  readonly lost: (reason: Error) => void;
  readonly signal: AbortSignal;
};

const complete = (found: Omit<HardwareDefinition, 'ssh'> & { readonly ssh?: string }): HardwareDefinition => {
  const { ssh } = found;
  if (ssh === undefined) throw new Error('neither the machine file nor the place says how ssh reaches the board');
  return { ...found, ssh };
};

/**
 * How a machine's board is reached. Where that is a labgrid place, this run has it until the result is disposed of.
 * Throws a lab fault, with nothing acquired, when it cannot be had or lacks what a run needs.
 */
export const resolveBoard = async (
  options: ResolveOptions,
): Promise<AsyncDisposable & { readonly definition: HardwareDefinition }> => {
  const { labgrid, ...own } = options.definition;
  if (labgrid === undefined) return { definition: complete(own), [Symbol.asyncDispose]: async () => {} };
  const { coordinator, wait = 0 } = typeof labgrid === 'string' ? {} : labgrid;
  // most runs have no use for gRPC, and loading it takes a fifth of a second
  const { acquirePlace } = await import('./labgrid/acquire.ts');
  await using stack = new AsyncDisposableStack();
  const acquired = stack.use(await acquirePlace({ ...options, wanted: wantedBy(labgrid), coordinator, wait }));
  const { place, resources } = acquired;
  const { power, ...board } = boardOf(place, resources, own, options.note);
  const owner = { place: place.name, coordinator: acquired.coordinator, owner: acquired.owner };
  const powerCycle = power === undefined ? undefined : powerPort(power, owner, options.note);
  const found = { place: place.name, ...board, ...(powerCycle === undefined ? {} : { powerCycle }) };
  const definition = complete({ ...found, ...own });
  const held = stack.move();
  return { definition, [Symbol.asyncDispose]: () => held.disposeAsync() };
};
