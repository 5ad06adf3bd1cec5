import t from 'tap';
import { type StallTime, Steps } from '../../../lab/scenario/run/steps.ts';
import type { LabEvent } from '../../../lab/scenario/targets/events.ts';
import { LabError, labFault, messageOf } from '../../../lab/system/errors.ts';

const where = { place: 'board' } as const;
const never = new AbortController().signal;

const recorded = (until?: string, stalled: StallTime = () => 0) => {
  const events: Omit<LabEvent, 'ms'>[] = [];
  const steps = new Steps((event) => events.push(event), performance.now(), stalled, until);
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

t.test('what came too late while this computer stood still says nothing about the product', async (t) => {
  const paused = (ms: number) => recorded(undefined, () => ms).steps;
  const late = async () => {
    throw new Error('waiting for status UNDEPLOYED: undeployment timed out after 10 s');
  };
  await t.rejects(paused(6200).run('undeploy', where, never, late), {
    verdict: 'incomplete',
    message: /timed out after 10 s; this computer kept the lab waiting for 6\.2 s during this step, which may be why/,
  });
  // a hiccup is no reason
  await t.rejects(paused(900).run('undeploy', where, never, late), { verdict: 'failed', message: /after 10 s$/ });
  // no delay makes answers wrong, nor a value another one
  const wrong = async () => {
    throw new LabError('3 wrong answers', { fault: 'product', conclusive: true });
  };
  await t.rejects(paused(6200).run('load', where, never, wrong), { verdict: 'failed', message: /^3 wrong/ });
  const expecting = paused(6200).run('HTTP', where, never, async ({ expect }) => expect.equal('body', 'a', 'b'));
  await t.rejects(expecting, { verdict: 'failed', message: /^body/ });
  const boot = paused(6200).run('boot', where, never, () => Promise.reject(labFault('no board')));
  await t.rejects(boot, { verdict: 'error', message: 'no board' });
});
