import fc from 'fast-check';
import t from 'tap';
import { UndoStack } from '../../../../worker/node-engine/instances/undo.ts';

const seeded = { seed: 20_260_803, numRuns: 1000 };
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

t.test('undo runs backwards, and tries a step again until it succeeds', async (t) => {
  const { signal } = new AbortController();
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 3 }), { maxLength: 8 }), fc.nat(), async (steps, which) => {
      const undo = new UndoStack();
      const undone: number[] = [];
      // each failure costs a pause: one step of all fails, once
      let failing = which % (steps.length + 1);
      for (const index of steps.keys())
        undo.push(`step ${index}`, async () => {
          if (failing === index) {
            failing = -1;
            throw new Error('no');
          }
          undone.push(index);
        });
      await undo.unwind(silent, signal);
      await undo.unwind(silent, signal);
      return JSON.stringify(undone) === JSON.stringify([...steps.keys()].reverse());
    }),
    { ...seeded, numRuns: 10 },
  );
  t.pass();
});

t.test('what breaks a removal off leaves the rest of it for later', async (t) => {
  const undo = new UndoStack();
  const stopping = new AbortController();
  const undone: string[] = [];
  undo.push('first', async () => void undone.push('first'));
  undo.push('owed', async (signal) => {
    undone.push('owed');
    if (signal === stopping.signal) {
      stopping.abort(new Error('stopping'));
      signal.throwIfAborted();
    }
  });
  undo.push('last', async () => void undone.push('last'));
  await t.rejects(undo.unwind(silent, stopping.signal), { message: 'stopping' });
  t.same(undone, ['last', 'owed']);
  await undo.unwind(silent, new AbortController().signal);
  t.same(undone, ['last', 'owed', 'owed', 'first']);
});
