import t from 'tap';
import type { CountedRun, GuestEvent } from '../../../../lab/scenario/deterministic/boot.ts';
import { differenceOf } from '../../../../lab/scenario/deterministic/compare.ts';
import { repeatUntilSure } from '../../../../lab/scenario/deterministic/verify.ts';
import { passedResults } from '../../report/example.ts';

const step = (name: string, ns: number): GuestEvent => ({
  ns,
  event: { kind: 'step-ended', step: name, tookMs: ns / 1e6 },
});

const countedRun = (
  shift: { readonly ns?: number; readonly figure?: number; readonly id?: string } = {},
): CountedRun => {
  const results = passedResults('counted');
  const { ns = 0, figure = 0, id = 'a' } = shift;
  return {
    seed: 1,
    files: [],
    events: [step('boot', 3_000_000), step('deploy', 7_000_000 + ns)],
    results: {
      ...results,
      metrics: [
        {
          ...{ name: 'deployment', unit: 'instructions', kind: 'counted', where: 'board' },
          ...{ dimensions: {}, samples: [93_000_000 + figure] },
        },
      ],
      run: { ...results.run, id, metrics: [] },
    },
  };
};

t.test('runs that differ under `run` alone are the same', async (t) => {
  t.strictSame(differenceOf(countedRun({ id: 'a' }), countedRun({ id: 'b' })), { kind: 'none' });
});

t.test('one tick of the counter is told from more', async (t) => {
  t.match(differenceOf(countedRun(), countedRun({ ns: 16 })), { kind: 'tick', where: /event 2 .*'deploy'/ });
  t.match(differenceOf(countedRun(), countedRun({ ns: 17 })), { kind: 'more', where: /at 7,000,000 and 7,000,017 ns/ });
  t.match(differenceOf(countedRun(), countedRun({ figure: 16 })), { kind: 'tick' });
  t.match(differenceOf(countedRun(), countedRun({ figure: 1000 })), { kind: 'more', where: /metrics\.0\.samples\.0/ });
});

t.test('a tick in a time that an event tells is one too', async (t) => {
  const telling = (ms: number) => {
    const event = { kind: 'cluster-message', message: { ms, topic: 'nodes/a/net/subnet' } };
    return { ...countedRun(), events: [...countedRun().events, { ns: 10_040_449_072, event }] };
  };
  const other = (ms: number) => differenceOf(telling(10040.449072), telling(ms));
  t.same(other(10040.449072), { kind: 'none' });
  t.match(other(10040.449088), { kind: 'tick', where: /event 3 \(cluster-message\)/ });
  t.match(other(10040.44912), { kind: 'more', where: /10040\.449072 and 10040\.44912 ms/ });
});

t.test('the first event that differs is named', async (t) => {
  const other = { ...countedRun(), events: [step('boot', 3_000_000), step('load', 7_000_000)] };
  t.match(differenceOf(countedRun(), other), { kind: 'more', where: /event 2 .*deploy.*load/ });
  t.match(differenceOf(countedRun(), { ...countedRun(), events: [step('boot', 3_000_000)] }), {
    where: /only in the first/,
  });
  t.match(differenceOf({ ...countedRun(), events: [step('boot', 3_000_000)] }, countedRun()), {
    where: /only in the second/,
  });
});

/** Boots that give these runs, one after the other. */
const booted = (...runs: readonly CountedRun[]) => {
  const left = [...runs];
  return async () => {
    const run = left.shift();
    if (run === undefined) throw new Error('too many runs');
    return run;
  };
};
const { signal } = new AbortController();

t.test('two runs that are the same are enough', async (t) => {
  const { note, difference } = await repeatUntilSure(booted(countedRun(), countedRun()), signal);
  t.match(note, /two runs with seed 1 were the same/);
  t.equal(difference, undefined);
});

t.test('a third run decides where two differ by one tick', async (t) => {
  const sure = await repeatUntilSure(
    booted(countedRun(), countedRun({ ns: 16, id: 'b' }), countedRun({ ns: 16 })),
    signal,
  );
  t.match(sure.note, /one tick.*third run was like the second/);
  t.equal(sure.run.results.run.id, 'b');
  t.equal(sure.difference, undefined);
  const unsure = await repeatUntilSure(booted(countedRun(), countedRun({ ns: 16 }), countedRun({ ns: 8 })), signal);
  t.match(unsure.difference, /like neither/);
});

t.test('more than a tick is a difference at once', async (t) => {
  const { difference } = await repeatUntilSure(booted(countedRun(), countedRun({ ns: 2000 })), signal);
  t.match(difference, /two runs with seed 1 differ: event 2/);
});
