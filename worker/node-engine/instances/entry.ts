import Type, { type Static } from 'typebox';
import { DeployRequest, jobStatuses } from '../../contract/job.ts';

/** A status that the cluster has to be told, until it has acknowledged it. */
export const Word = Type.Object({
  job_name: Type.String(),
  instance_number: Type.Integer(),
  status: Type.Enum([...jobStatuses]),
  detail: Type.String(),
});
export type Word = Static<typeof Word>;

/**
 * What the engine has to remember of one instance. Written down before an order counts as taken and before a word is
 * told, so that an engine that is killed leaves to the next one what it owes.
 */
export const Entry = Type.Object({
  /** What was ordered; absent when nothing of it is left. */
  job: Type.Optional(DeployRequest),
  /** Set once it runs. */
  ready: Type.Boolean(),
  /** Set when it has to go. */
  removing: Type.Optional(Type.Boolean()),
  /** Set when UNDEPLOYED has to be told as soon as nothing of it is left. */
  undeploy: Type.Optional(Type.Boolean()),
  /** What was ordered after that, and begins when nothing of it is left. */
  next: Type.Optional(DeployRequest),
  words: Type.Optional(Type.Array(Word)),
});
export type Entry = Static<typeof Entry>;

/** A change of what is remembered. */
export type Change = (entry: Entry) => Entry;

export const nothing: Entry = { ready: false };

/** True when there is nothing to remember. */
export const isEmpty = ({ job, undeploy, next, words = [] }: Entry): boolean =>
  job === undefined && undeploy !== true && next === undefined && words.length === 0;

const withoutNext = ({ next: _, ...others }: Entry): Entry => others;

/** A job was ordered: nothing of it is there yet, and perhaps something of what was before it. */
export const ordered =
  (job: DeployRequest): Change =>
  (entry) =>
    entry.job === undefined && entry.undeploy !== true ? { ...entry, job, ready: false } : { ...entry, next: job };

/** The order `job`, which could not be written down, is forgotten; what came and was told meanwhile is not. */
export const unordered =
  (job: DeployRequest): Change =>
  (entry) => {
    if (entry.next === job) return withoutNext(entry);
    if (entry.job !== job) return entry;
    const { undeploy, words } = entry;
    return { ready: false, ...(undeploy && { undeploy }), ...(words && { words }) };
  };

/** A delete was ordered, of this instance or of one that is not here. */
export const deleted: Change = (entry) => ({
  ...withoutNext(entry),
  ...(entry.job && { removing: true }),
  undeploy: true,
});

/** A word is owed. */
export const owed =
  (word: Word): Change =>
  (entry) => ({ ...entry, words: [...(entry.words ?? []), word] });

/** The instance runs, and `word` tells that. */
export const begun =
  (word: Word): Change =>
  (entry) =>
    owed(word)({ ...entry, ready: true });

/** What was ordered next does not begin; `word` tells why. */
export const forgone =
  (word: Word): Change =>
  (entry) =>
    owed(word)(withoutNext(entry));

/** The instance has ended, or never came up, and what is left of it has to go; `word` tells of it. */
export const ended =
  (word: Word | undefined): Change =>
  (entry) => {
    const leaving: Entry = { ...entry, ...(entry.job && { removing: true }) };
    return word === undefined ? leaving : owed(word)(leaving);
  };

/** Nothing of the instance is left: what was ordered next is in its place. Where that was ordered, `word` is owed. */
export const gone =
  (word: Word): Change =>
  ({ undeploy, next, words = [] }) => {
    const all = undeploy === true ? [...words, word] : words;
    return { ...(next && { job: next }), ready: false, ...(all.length > 0 && { words: all }) };
  };

const same = (one: Word, other: Word): boolean => one.status === other.status && one.detail === other.detail;

/** The cluster has acknowledged a word. */
export const told =
  (word: Word): Change =>
  (entry) => {
    const { words = [], ...others } = entry;
    const at = words.findIndex((one) => same(one, word));
    if (at < 0) return entry;
    const left = words.toSpliced(at, 1);
    return left.length === 0 ? others : { ...others, words: left };
  };

/** What an engine has to do about an instance that an earlier one left, beside telling its words. */
export type Duty = 'nothing' | 'watch' | 'tell its end' | 'tell that it failed' | 'remove' | 'answer';

/**
 * The duty that follows from an entry; `runs` is true when the instance's process does. Words are in a file of their own,
 * which may be newer than the rest: when the last one is CREATED, the instance is ready.
 */
export const dutyOf = ({ job, ready, removing, undeploy, words }: Entry, runs: boolean): Duty => {
  if (job === undefined) return undeploy === true ? 'answer' : 'nothing';
  if (removing === true) return 'remove';
  if (!ready && words?.at(-1)?.status !== 'CREATED') return 'tell that it failed';
  return runs ? 'watch' : 'tell its end';
};
