import t from 'tap';
import { explain } from '../../../worker/system/explain.ts';

t.test('an error is told with its causes, each once', async (t) => {
  const cause = new Error('connect ECONNREFUSED');
  t.equal(
    explain(new Error('the cluster does not answer', { cause })),
    'the cluster does not answer: connect ECONNREFUSED',
  );
  t.equal(explain(new Error('x: connect ECONNREFUSED', { cause })), 'x: connect ECONNREFUSED');
  t.equal(explain(new AggregateError([cause], 'all failed')), 'all failed: connect ECONNREFUSED');
  t.equal(explain('SIGTERM received'), 'SIGTERM received');
});
