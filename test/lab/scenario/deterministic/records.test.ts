import fs from 'node:fs/promises';
import t from 'tap';
import { writeReport } from '../../../../lab/report/folder.ts';
import { bootCounted } from '../../../../lab/scenario/deterministic/boot.ts';
import type { GuestRecord } from '../../../../lab/scenario/deterministic/records.ts';
import { passedResults } from '../../report/example.ts';

const { signal } = new AbortController();

/** A guest that writes these records. */
const guestWriting = (...records: readonly (GuestRecord | { readonly foreign: string })[]) => ({
  unlocked: [],
  inputs: [{ name: 'kernel', version: '6.12' }],
  consoleText: async () => 'the last words\n',
  command: () => ['qemu'],
  run: async (_seed: number, _run: unknown, onRecord: (record: string) => boolean) => {
    for (const record of records) if (onRecord(JSON.stringify(record))) return;
  },
});

const boot = (guest: ReturnType<typeof guestWriting>) => bootCounted(guest, 'a run', 1, () => {}, signal);

t.test('what a guest gave can be written as a report', async (t) => {
  const event = { ns: 16, event: { kind: 'step-started', step: 'boot' } };
  const files = [{ name: 'NodeEngine.log', content: Buffer.from('hello\n').toString('base64') }];
  const run = await boot(guestWriting(event, { results: passedResults('counted'), files }, { ended: 0 }));
  t.strictSame(run.events, [event]);
  t.equal(run.results.inputs.at(-1)?.name, 'kernel');
  t.strictSame(run.results.options, { deterministic: true });
  const folder = `${t.testdir()}/report`;
  await writeReport(folder, run.results, run.files);
  t.equal(await fs.readFile(`${folder}/NodeEngine.log`, 'utf8'), 'hello\n');
  t.equal(await fs.readFile(`${folder}/console.log`, 'utf8'), 'the last words\n');
  t.equal(await fs.readFile(`${folder}/events.ndjson`, 'utf8'), `${JSON.stringify(event)}\n`);
});

t.test('a guest without results is blamed for what it said', async (t) => {
  await t.rejects(boot(guestWriting({ ended: 1 })), { fault: 'lab', message: /without a result\nthe last words/ });
  await t.rejects(boot(guestWriting({ error: 'it takes two boards', fault: 'incomplete', next: [] })), {
    fault: 'incomplete',
    message: 'it takes two boards',
  });
  await t.rejects(boot(guestWriting({ foreign: 'text' })), /what the guest wrote/);
  const broken = { results: { ...passedResults('counted'), verdict: 'perhaps' }, files: [] } as unknown as GuestRecord;
  await t.rejects(boot(guestWriting(broken)), /the results of the guest/);
});
