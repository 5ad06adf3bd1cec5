import t from 'tap';
import { diff } from '../../../lab/report/compare/diff.ts';
import { summary } from '../../../lab/report/formats/summary.ts';
import { htmlReport } from '../../../lab/report/html.ts';
import { joinRuns } from '../../../lab/report/model/replicates.ts';
import type { Condition, Results } from '../../../lab/report/model/results.ts';
import { passedResults } from './example.ts';

const onBoard = (throttling: Condition[string]): Results => {
  const results = passedResults('hardware');
  const condition = { temperature: { before: '48.7 °C', after: '61.0 °C' }, throttling };
  return { ...results, run: { ...results.run, condition } };
};

t.test('a report says what the board was like before and after', async (t) => {
  const results = onBoard({ before: 'none', after: 'none' });
  t.match(summary(results), /## Board\n[\s\S]*\| temperature \| 48\.7 °C \| 61\.0 °C \|/);
  t.match(htmlReport(results, []), /The board[\s\S]*temperature[\s\S]*48\.7 °C[\s\S]*61\.0 °C/);
  t.notMatch(summary(passedResults('native')), '## Board');
});

t.test('a run that was throttled does not compare with another one', async (t) => {
  const cool = onBoard({ before: 'none', after: 'none' });
  const long = onBoard({ before: 'the voltage was too low', after: 'the voltage was too low' });
  const hot = onBoard({ before: 'none', after: 'it was throttled' });
  t.ok(diff(cool, long), 'what was before the run is no matter');
  t.throws(() => diff(cool, hot), {
    fault: 'incomplete',
    message: /second run: the board was throttled, it was throttled/,
  });
  t.throws(() => diff(hot, cool), { fault: 'incomplete', message: /first run: the board was throttled/ });
});

t.test('a board that was throttled in one replicate alone was throttled in the whole', async (t) => {
  const cool = onBoard({ before: 'none', after: 'none' });
  const hot = onBoard({ before: 'none', after: 'it was throttled' });
  const still = onBoard({ before: 'it was throttled', after: 'it was throttled' });
  const steady = joinRuns([cool, cool, cool]);
  t.throws(() => diff(steady, joinRuns([hot, still, still])), {
    fault: 'incomplete',
    message: /second run: the board was throttled, it was throttled/,
  });
  t.ok(diff(steady, joinRuns([still, still, still])), 'what was before the first of them is no matter');
  t.throws(
    () => diff(steady, joinRuns([hot, { ...still, verdict: 'failed' }, still])),
    /second run: the board was throttled/,
    'also when another run than the last one is shown',
  );
});
