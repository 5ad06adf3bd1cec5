import { factText, holds, type Observed, type Place } from './observed.ts';
import type { Change, Plan, Step } from './plan.ts';

/** What is to be done so that a plan's facts hold again, and what they are, in words. */
export type Repair = { readonly plan: Plan; readonly missing: readonly string[] };

/** What the kernel makes by itself is left to it as long as it has the occasion. */
const due = (missing: readonly Change[]): readonly Change[] => {
  const own = missing.filter(({ follows }) => !follows);
  return own.length > 0 ? own : missing;
};

type Part = { readonly step?: Step; readonly missing: readonly string[] };

const nothing: Part = { missing: [] };
const nowhere: Place = { links: new Map(), addresses: new Set(), routes: new Set() };

/** The part of a step that is not done. */
const partOf = (step: Step, observed: Observed, made: ReadonlySet<string>): Part => {
  switch (step.tool) {
    case 'ip': {
      const changes = due(step.changes.filter(({ is }) => !holds(is, observed, observed)));
      return changes.length === 0
        ? nothing
        : { step: { ...step, changes }, missing: changes.map(({ is }) => factText(is)) };
    }
    case 'sysctl': {
      const values = Object.entries(step.values).filter(([key, value]) => observed.settings.get(key) !== value);
      return values.length === 0
        ? nothing
        : {
            step: { ...step, values: Object.fromEntries(values) },
            missing: values.map(([key, value]) => `${key} ${value}`),
          };
    }
    case 'inside': {
      const anew = made.has(step.link);
      const place = anew ? nowhere : observed.inside.get(step.namespace);
      const changes = place ? due(step.changes.filter(({ is }) => !holds(is, place))) : [];
      // What a new link needs is no news of its own.
      const missing = anew ? [] : changes.map(({ is }) => `${factText(is)} in ${step.namespace}`);
      return changes.length === 0 ? nothing : { step: { ...step, changes }, missing };
    }
    case 'nft': {
      // A part of a table comes with the whole of it.
      const [table] = step.whole ?? [];
      return table !== undefined && !observed.rules.has(table)
        ? { step, missing: [`rules of table ${table}`] }
        : nothing;
    }
    case 'command':
      // Made from a look at what is there: all of it is left to do.
      return step.commands.length === 0 ? nothing : { step, missing: step.commands.map(({ is }) => is) };
  }
};

/**
 * What is left of a plan where part of it is done: the same steps in the same order, each with only what the kernel has
 * not got. A whole table is replaced when anything of it differs; an instance's part of it comes with that.
 */
export const repairPlan = (plan: Plan, observed: Observed): Repair => {
  const made = new Set(
    plan.flatMap((step) =>
      step.tool === 'ip'
        ? step.changes.flatMap(({ is }) => ('link' in is && !observed.links.has(is.link) ? [is.link] : []))
        : [],
    ),
  );
  const parts = plan.map((step) => partOf(step, observed, made));
  return {
    plan: parts.flatMap(({ step }) => step ?? []),
    missing: [...new Set(parts.flatMap(({ missing }) => missing))],
  };
};
