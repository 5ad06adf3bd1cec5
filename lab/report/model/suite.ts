import Type, { type Static } from 'typebox';
import { worstVerdict } from './replicates.ts';
import { type Results, Verdict } from './results.ts';

/** One scenario on one machine, as `suite.json` has it. */
const WrittenEntry = Type.Object({
  scenario: Type.String(),
  machine: Type.String(),
  verdict: Verdict,
  seconds: Type.Number(),
  reason: Type.Optional(Type.String()),
  /** The report's folder, beside the suite's own. */
  report: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._-]+$' })),
});
type WrittenEntry = Static<typeof WrittenEntry>;

/** A part of a suite that ran by itself, and what all of the suite is: enough to join the parts again. */
const Shard = Type.Object({
  /** From 1 to `count`. */
  index: Type.Integer({ minimum: 1 }),
  count: Type.Integer({ minimum: 1 }),
  /** Everything that the suite runs, in order; the nth one, from 0, is dealt to the shard n modulo count. */
  plan: Type.Array(Type.Object({ scenario: Type.String(), machine: Type.String() })),
  /** Whether its scenarios were asked for by name. */
  named: Type.Boolean(),
  /** What could not run on its machine. */
  unable: Type.Array(WrittenEntry),
});
export type Shard = Static<typeof Shard>;

/** `suite.json`; with `shard` its entries are those of that shard alone. */
export const SuiteFile = Type.Object({
  version: Type.Literal(1),
  verdict: Verdict,
  entries: Type.Array(WrittenEntry),
  shard: Type.Optional(Shard),
});

/** One scenario on one machine, as a suite saw it; `results` are missing when it left none. */
export type SuiteEntry = Readonly<WrittenEntry> & { readonly results?: Results };

/**
 * The entries of a suite. What could not run on its machine is one only where it was asked for by name or where nothing
 * else ran: a suite of everything is of what the machine can do.
 */
export const countedEntries = (
  ran: readonly SuiteEntry[],
  unable: readonly SuiteEntry[],
  wereNamed: boolean,
): readonly SuiteEntry[] => (wereNamed || ran.length === 0 ? [...ran, ...unable] : ran);

/** A suite's verdict: the worst of its entries; incomplete without any. */
export const suiteVerdict = (entries: readonly SuiteEntry[]): Verdict =>
  entries.length === 0 ? 'incomplete' : worstVerdict(entries.map(({ verdict }) => verdict));
