import t from 'tap';
import { Steps } from '../../../lab/scenario/run/steps.ts';
import type { LabEvent } from '../../../lab/scenario/targets/events.ts';
import { LabError, labFault, messageOf } from '../../../lab/system/errors.ts';

const where = { place: 'board' } as const;
const never = new AbortController().signal;

const recorded = (until?: string) => {
  const events: Omit<LabEvent, 'ms'>[] = [];
  const steps = new Steps((event) => events.push(event), performance.now(), until);
  return { steps, events };
};

t.test('a step is judged at its end, by all of its expectations', async (t) => {
  const { steps, events } = recorded();
  t.equal(
    await steps.run('fine', where, never, async ({ expect }) => {
      expect.equal('sum', { a: [1] }, { a: [1] });
      return 7;
    }),
    7,
  );
  const failing = steps.run('wrong', where, never, async ({ expect }) => {
    expect.equal('body', 'came', 'wanted');
    expect.match('status', 'HTTP 500', /200/);
    expect.ok('answered', false, 'silence');
  });
  await t.rejects(failing, {
    name: 'StepFailed',
    step: 'wrong',
    verdict: 'failed',
    message:
      'body: expected wanted, got came\nstatus: expected /200/, got HTTP 500\nanswered: expected true, got silence',
  });
  t.strictSame(
    steps.done.map(({ name, verdict, expectations }) => [name, verdict, expectations.length]),
    [
      ['fine', 'passed', 1],
      ['wrong', 'failed', 3],
    ],
  );
  t.equal(steps.done[0]?.expectations[0]?.actual, undefined, 'what came is only said when it is not what was wanted');
  t.strictSame(
    events.map(({ kind }) => kind),
    [
      'step-started',
      'expectation',
      'step-ended',
      'step-started',
      'expectation',
      'expectation',
      'expectation',
      'step-ended',
    ],
  );
  t.equal(steps.timings.length, 2);
});

t.test('who is to blame for a step that throws', async (t) => {
  const thrown = async (error: unknown, signal = never) => {
    const { steps } = recorded();
    await t.rejects(
      steps.run('x', where, signal, () => Promise.reject(error)),
      { name: 'StepFailed' },
    );
    return steps.done[0]?.verdict;
  };
  t.equal(await thrown(new Error('connection refused')), 'failed');
  t.equal(await thrown(new LabError('no answer', { fault: 'product' })), 'failed');
  t.equal(await thrown(labFault('the emulator ended')), 'error');
  t.equal(await thrown(new LabError('the board is not free', { fault: 'incomplete' })), 'incomplete');
  t.equal(await thrown(new Error('x'), AbortSignal.abort(new Error('interrupted'))), 'incomplete');
  t.equal(
    await thrown(new Error('x'), AbortSignal.abort(labFault('the emulator ended'))),
    'error',
    'the machine is gone',
  );
});

t.test('steps of the same name are told apart', async (t) => {
  const { steps } = recorded();
  for (const name of ['ask', 'ask', 'wait', 'ask']) await steps.run(name, where, never, async () => {});
  const names = ['ask', 'ask (2)', 'wait', 'ask (3)'];
  t.strictSame(
    steps.done.map(({ name }) => name),
    names,
  );
  t.strictSame(
    steps.timings.map(({ name }) => name),
    names,
  );
});

t.test('a step that is not to be passed is the last', async (t) => {
  const { steps } = recorded('first');
  await t.rejects(
    steps.run('first', where, never, async () => {}),
    { verdict: 'incomplete', message: /as asked/ },
  );
  t.strictSame(steps.done, [{ name: 'first', place: 'board', verdict: 'passed', expectations: [] }]);
});

t.test('what comes is shown, but no more of it than can be read', async (t) => {
  const { steps } = recorded();
  const step = steps.run('x', where, never, async ({ expect }) => expect.equal('body', 'y'.repeat(1e6), ''));
  t.ok((await step.then(() => '', messageOf)).length < 3000);
});
