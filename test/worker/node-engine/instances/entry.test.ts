import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import type { JobStatus } from '../../../../worker/contract/job.ts';
import * as entries from '../../../../worker/node-engine/instances/entry.ts';
import { newInstance } from '../../../../worker/node-engine/instances/instance.ts';
import { Journal } from '../../../../worker/node-engine/instances/journal.ts';
import type { Node } from '../../../../worker/node-engine/instances/node.ts';
import { Supervisor } from '../../../../worker/node-engine/instances/supervisor.ts';
import { job } from '../support/jobs.ts';

const order = { ...job('file:///x'), cmd: [] };
const report = (status: JobStatus): entries.StatusReport => ({
  job_name: order.job_name,
  instance_number: 0,
  status,
  detail: '',
});

/** A small model of an engine: what is on disk, what runs, what the cluster has heard. */
type World = { entry: entries.Entry; runs: boolean; heard: JobStatus[]; owes: Set<'UNDEPLOYED' | 'end'> };

/** One thing that an engine does. It may be killed after each, and then only the entry and the process are left. */
const steps = {
  deploy: (world: World) => {
    const { job, removing, next } = world.entry;
    if ((job === undefined || removing === true) && next === undefined)
      world.entry = entries.deploymentOrdered(order)(world.entry);
  },
  forgo: (world: World) => {
    if (world.entry.next !== undefined) world.entry = entries.deploymentDropped(report('FAILED'))(world.entry);
  },
  launch: (world: World) => {
    if (world.entry.job === undefined || world.entry.removing === true || world.entry.ready) return;
    world.runs = true;
    world.entry = entries.instanceStarted(report('CREATED'))(world.entry);
  },
  delete: (world: World) => {
    world.entry = entries.deletionOrdered(world.entry);
    world.owes.add('UNDEPLOYED');
  },
  exit: (world: World) => {
    if (!world.runs) return;
    world.runs = false;
    world.owes.add('end');
  },
  notice: (world: World) => {
    const { entry, runs } = world;
    if (entries.dutyOf(entry, runs) === 'report its end') world.entry = entries.instanceEnded(report('DEAD'))(entry);
  },
  remove: (world: World) => {
    const { entry } = world;
    if (entry.job !== undefined && entry.removing !== true) return;
    world.runs = false;
    world.entry = entries.instanceRemoved(report('UNDEPLOYED'))(entry);
  },
  report: (world: World) => {
    const [first] = world.entry.reports ?? [];
    if (first === undefined) return;
    world.heard.push(first.status);
    world.entry = entries.reportAcknowledged(first)(world.entry);
  },
} as const;

/** How many answers to deployments the cluster has heard. */
const answers = ({ heard }: World): number => heard.filter((status) => ['CREATED', 'FAILED'].includes(status)).length;

/** What the next engine does about what it finds, until nothing is left to do. */
const recover = (world: World): void => {
  steps.forgo(world);
  for (let turns = 0; turns < 40; turns += 1) {
    const duty = entries.dutyOf(world.entry, world.runs);
    if (duty === 'report that it failed') world.entry = entries.instanceEnded(report('FAILED'))(world.entry);
    if (duty === 'report its end') world.entry = entries.instanceEnded(report('DEAD'))(world.entry);
    if (duty === 'remove' || duty === 'answer') steps.remove(world);
    steps.report(world);
  }
};

t.test('whenever an engine is killed, the next one does what was ordered and sends what is pending', async () => {
  const names = Object.keys(steps) as (keyof typeof steps)[];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...names), { maxLength: 30 }), (done) => {
      const world: World = { entry: entries.emptyEntry, runs: false, heard: [], owes: new Set() };
      let heardAtDelete = -1;
      let heardAtDeploy = -1;
      for (const name of done) {
        if (name === 'delete') heardAtDelete = world.heard.filter((status) => status === 'UNDEPLOYED').length;
        if (name === 'delete') heardAtDeploy = -1;
        const before = world.entry;
        steps[name](world);
        if (name === 'deploy' && world.entry !== before) heardAtDeploy = answers(world);
      }
      const ended = world.owes.has('end');
      recover(world);
      const undeployed = world.heard.filter((status) => status === 'UNDEPLOYED').length;
      if (!entries.isEmpty(world.entry) && entries.dutyOf(world.entry, world.runs) !== 'watch') return false;
      if (heardAtDelete >= 0 && undeployed <= heardAtDelete) return false;
      if (heardAtDeploy >= 0 && answers(world) === heardAtDeploy) return false;
      // an end is reported by one status or another
      return !ended || world.runs || world.heard.length > 0;
    }),
    { numRuns: 2000 },
  );
});

t.test('a report stays pending until it was acknowledged, and each acknowledgement counts once', async (t) => {
  const twice = entries.reportPending(report('UNDEPLOYED'))(
    entries.reportPending(report('UNDEPLOYED'))(entries.emptyEntry),
  );
  const once = entries.reportAcknowledged(report('UNDEPLOYED'))(twice);
  t.equal(once.reports?.length, 1);
  t.equal(entries.reportAcknowledged(report('DEAD'))(once), once);
  t.ok(entries.isEmpty(entries.reportAcknowledged(report('UNDEPLOYED'))(once)));
  t.equal(entries.deploymentOrdered(order)(twice).reports?.length, 2, 'a new order keeps what is pending');
});

t.test('an engine that is killed between its two files says of an instance what it has said before', async (t) => {
  const begun = { ...entries.deploymentOrdered(order)(entries.emptyEntry), reports: [report('CREATED')] };
  t.equal(entries.dutyOf(begun, true), 'watch');
  t.equal(entries.dutyOf(begun, false), 'report its end');
  const another = { ...begun, reports: [report('CREATED'), report('DEAD')] };
  t.equal(
    entries.dutyOf(another, true),
    'report that it failed',
    'a report about the instance before is none about this',
  );
});

t.test('an order that cannot be written down takes nothing along that came meanwhile', async (t) => {
  const folder = t.testdir({ state: 'a file where the folder should be' });
  const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const journal = new Journal(join(folder, 'state/instances'), join(folder, 'spare'), silent);
  const task = 'app.appns.svc.svcns.instance.0';
  await journal.update(task, entries.reportPending(report('FAILED')));
  const begun = t.rejects(journal.begin(task, order), { message: /cannot be written/ });
  void journal.update(task, entries.reportAcknowledged(report('FAILED')));
  void journal.update(task, entries.deletionOrdered);
  await begun;
  t.same(journal.entry(task), { ready: false, undeploy: true }, 'what was told is not owed again, the delete is');
});

t.test('what is forgotten leaves nothing, not even of a write that was broken off', async (t) => {
  const folder = t.testdir({});
  const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const journal = new Journal(join(folder, 'state/instances'), join(folder, 'spare'), silent);
  const task = 'app.appns.svc.svcns.instance.0';
  await journal.begin(task, order);
  // as a disk leaves it that becomes read-only before the new file is in its place
  await writeFile(`${journal.file(task)}.new`, '{');
  await journal.update(task, entries.instanceRemoved(report('UNDEPLOYED')));
  t.same(await readdir(join(folder, 'state/instances')), []);
});

t.test('a report names an instance only when the cluster has been told of it', async (t) => {
  const folder = t.testdir({});
  const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const journal = new Journal(join(folder, 'state/instances'), join(folder, 'spare'), silent);
  const supervisor = new Supervisor({ journal, log: silent } as unknown as Node, () => undefined);
  const task = 'app.appns.svc.svcns.instance.0';
  const instance = newInstance(order);
  const usage = { job: order.job_name, instance: 0, virtualization: 'wasm', cpuPercent: 0, memoryPercent: 0, logs: '' };
  instance.usage = async () => usage;
  await journal.begin(task, order);
  supervisor.add(task, instance);
  await journal.update(task, entries.instanceStarted(report('CREATED')));
  t.same(await supervisor.usage(1), []);
  await journal.update(task, entries.reportAcknowledged(report('CREATED')));
  t.same(await supervisor.usage(1), [usage]);
});
