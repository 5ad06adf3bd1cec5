/** Tests the chapter's facts one after the other in namespaces of its own: `run.ts FOLDER FACTOR`; says each as a line of JSON. */
import { makeLab } from '../namespaces.ts';
import { type Chapter, type OverlayFactId, reach } from './chapter.ts';
import { delivery } from './delivery.ts';
import { guards } from './guards.ts';
import { table, unused } from './table.ts';
import { openOverlayWorld } from './world.ts';

/** What is said of a fact, or of the whole where no fact could be tested. */
export type Said = { readonly id?: OverlayFactId; readonly error?: string; readonly log?: string };

const say = (said: Said): void => void process.stdout.write(`${JSON.stringify(said)}\n`);
const textOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));

const main = async (folder: string, factor: number): Promise<void> => {
  makeLab(folder);
  await using world = await openOverlayWorld(folder, factor);
  const chapter: Chapter = { world, caller: await world.deploy(1) };
  await world.place(unused, 0, world.peers[0]);
  await reach(chapter, unused, world.peers[0], 'used once').catch(() => undefined);
  let failures = 0;
  const checks = Object.entries({ ...delivery, ...table, ...guards }) as [
    OverlayFactId,
    (of: Chapter) => Promise<void>,
  ][];
  // What takes as long as interest lasts comes last.
  for (const [id, check] of checks.toSorted(([one], [other]) => one.localeCompare(other, 'en', { numeric: true }))) {
    const error = await check(chapter).then(
      () => undefined,
      (reason: unknown) => textOf(reason),
    );
    if (error !== undefined) failures += 1;
    say({ id, ...(error !== undefined && { error }) });
  }
  if (failures > 0) say({ log: world.log() });
};

const [folder = '', factor = '1'] = process.argv.slice(2);
main(folder, Number(factor)).then(
  () => process.exit(),
  (error: unknown) => {
    say({ error: textOf(error) });
    process.exit(1);
  },
);
