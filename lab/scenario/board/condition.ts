import type { Machine } from '../../machine/machine.ts';
import type { Condition } from '../../report/model/results.ts';

/** The condition of a machine that was started; undefined for one that says nothing about it. */
export const beforeRun = async (machine: Machine): Promise<Condition | undefined> => {
  const facts = await machine.condition?.();
  return facts && Object.fromEntries(Object.entries(facts).map(([name, before]) => [name, { before }]));
};

/** The same with what it is now, as far as the machine still says so. */
export const afterRun = async (machine: Machine, condition: Condition | undefined): Promise<Condition | undefined> => {
  if (!condition || machine.lost.aborted) return condition;
  const facts = (await machine.condition?.().catch(() => undefined)) ?? {};
  const names = new Set([...Object.keys(condition), ...Object.keys(facts)]);
  return Object.fromEntries(
    [...names].map((name) => {
      const after = facts[name];
      return [name, { ...condition[name], ...(after === undefined ? {} : { after }) }];
    }),
  );
};
