import t from 'tap';
import Type, { type Static } from 'typebox';
import { fewestSeeds } from '../../lab/report/model/baseline.ts';
import { parseJson } from '../../worker/contract/check.ts';
import { labWorld } from '../support/lab.ts';
import { printedResults } from '../support/report.ts';

await using world = await labWorld();

/** What is read of `report diff --baseline --json`. */
const Judged = Type.Object({
  figures: Type.Array(
    Type.Object({
      metric: Type.Object({ name: Type.String(), dimensions: Type.Record(Type.String(), Type.String()) }),
      before: Type.Number(),
      after: Type.Number(),
      judgement: Type.String(),
    }),
  ),
});

/** The same program, built anew, moves a request by 1 %: only more fails here. */
const least = 0.02;

const regressionsIn = ({ figures }: Static<typeof Judged>): readonly string[] =>
  figures
    .filter(({ judgement, before, after }) => judgement === 'worse' && after > (1 + least) * before)
    .map(({ metric, before, after }) =>
      [metric.name, ...Object.values(metric.dimensions), `grew from ${before} to ${after} instructions`].join(' '),
    );

/** Counts the instructions of bridged with so many seeds, and compares them with the committed baseline. */
const judge = async (seeds: number) => {
  const run = ['scenario', 'bridged', '--deterministic', '--seeds', `${seeds}`, '--reports', world.reports, '--json'];
  const ran = await world.run(run);
  if (ran.code !== 0) return { ran, judged: undefined };
  const judged = await world.run(['report', 'diff', '--baseline', printedResults(ran.stdout).folder, '--json']);
  return { ran, judged };
};

const first = await judge(1);
t.equal(first.ran.code, 0, 'bridged runs deterministically', { stderr: first.ran.stderr });
t.strictSame(await world.leftovers(), [], 'it leaves nothing but its report');

const accept = `Where that is meant, make a new baseline and commit it with the change:
  npm run lab -- scenario bridged --deterministic --seeds ${fewestSeeds}
  npm run lab -- report baseline latest
How it is judged: docs/measuring.md, "The judge".`;

// made with another QEMU, kernel, Node or wasmtime the baseline says nothing about the worker
const skip = first.judged?.code === 2 ? first.judged.stderr.trim() : false;

t.test('bridged takes no more instructions than the committed baseline', { skip }, async (t) => {
  const { judged } = first;
  t.ok(judged && [0, 1].includes(Number(judged.code)), { stderr: judged?.stderr });
  if (regressionsIn(parseJson(Judged, judged?.stdout ?? '', 'the comparison')).length === 0) return;
  // one seed may be beyond a margin by chance: five decide
  const again = await judge(fewestSeeds);
  t.equal(again.ran.code, 0, { stderr: again.ran.stderr });
  const found = regressionsIn(parseJson(Judged, again.judged?.stdout ?? '', 'the comparison'));
  t.equal(found.length, 0, `a regression:\n${found.join('\n')}\n${accept}`);
});
