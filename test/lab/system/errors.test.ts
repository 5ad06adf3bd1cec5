import t from 'tap';
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
