import { type LabError, labFault, usageFault } from '../system/errors.ts';
import { nearest } from '../system/nearest.ts';
import { commandLine } from '../system/quote.ts';
import { defaultLab, type EndedLab, joinWords, type LabRecord } from './registry.ts';

/** The labs of this user: those that stand, and those that ended by themselves, with the reason. */
export type FoundLabs = {
  readonly living: readonly LabRecord[];
  readonly ended: readonly EndedLab[];
};

/** That a lab ended by itself, in a sentence. */
export const endedFault = ({ name, machine, join, ended }: EndedLab): LabError =>
  labFault(`the lab '${name}' on ${machine} ended at ${ended.at}: ${ended.reason}`, [
    `npm run lab -- ${commandLine([
      ...['up', '--machine', machine, ...joinWords(join)],
      ...(name === defaultLab ? [] : ['--lab', name]),
    ])}`,
  ]);

/**
 * The lab that a command means: the one that is named, the only one, or of several the one called `default`. Undefined
 * where none is named and none stands. Throws a lab fault for one that ended by itself, and a usage fault for one that is
 * not there.
 */
export const chooseLab = (wanted: string | undefined, { living, ended }: FoundLabs): LabRecord | undefined => {
  const name = wanted ?? (living.length > 1 ? defaultLab : undefined);
  const found = name === undefined ? living[0] : living.find((lab) => lab.name === name);
  if (found) return found;
  const lost = ended.find((lab) => name === undefined || lab.name === name);
  if (lost && (wanted !== undefined || living.length === 0)) throw endedFault(lost);
  const names = living.map((lab) => lab.name);
  if (wanted !== undefined) throw usageFault(`no lab '${wanted}' stands${nearest(wanted, names)}`);
  if (living.length === 0) return undefined;
  throw usageFault(
    `${living.length} labs stand: name one of them`,
    names.map((one) => `--lab ${one}`),
  );
};
