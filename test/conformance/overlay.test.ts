import t from 'tap';
import { facts } from './world/facts.ts';
import type { OverlayFactId } from './world/overlay/chapter.ts';
import { runChapter } from './world/overlay/place.ts';
import { subject } from './world/subject.ts';

t.setTimeout(1_000_000);

const ids = (Object.keys(facts) as (keyof typeof facts)[]).filter((id): id is OverlayFactId => id.startsWith('7.'));
const outcome = subject.all ? await runChapter() : { skip: 'may take an emulated board: npm run conformance' };
const said = 'said' in outcome ? outcome.said : [];

for (const id of ids) {
  const skip = 'skip' in outcome ? outcome.skip : false;
  t.test(`${id} ${facts[id]}`, { skip }, async (t) => {
    const one = said.find((each) => each.id === id) ?? said.find((each) => each.id === undefined && each.error);
    if (one === undefined) t.fail('nothing was said of it');
    else if (one.error === undefined) t.pass();
    else t.fail(one.error);
  });
}
for (const { log } of said) if (log !== undefined) t.comment(log);
