import t from 'tap';
import { ClusterWaitError } from '../../../lab/cluster/watch.ts';
import { firstOf, messageOf } from '../../../lab/system/errors.ts';

t.test('what fails in a clean-up does not hide why there was one', async (t) => {
  const work = async () => {
    await using stack = new AsyncDisposableStack();
    for (const name of ['network', 'files']) stack.defer(() => Promise.reject(new Error(`${name} stay`)));
    throw new Error('the cable was pulled');
  };
  const error = await work().catch((thrown: unknown) => thrown);
  t.notMatch(messageOf(error), /cable/, 'by itself it does');
  t.equal(messageOf(firstOf(error)), 'the cable was pulled');
  t.equal(firstOf('anything else'), 'anything else');
});

t.test('what a cause says is not said twice', async (t) => {
  const late = new Error('deployment timed out after 20 s');
  const waiting = new ClusterWaitError('the address of x', late.message, late);
  t.equal(messageOf(waiting), 'waiting for the address of x: deployment timed out after 20 s');
  t.equal(messageOf(new Error('no disk', { cause: new Error('ENOENT') })), 'no disk: ENOENT');
  t.equal(messageOf(new Error('no disk', { cause: waiting })), `no disk: ${waiting.message}`);
});
