import t from 'tap';
import { problemsOf } from './invariants.ts';
import type { Observed } from './observe.ts';
import { Record } from './record.ts';
import { drawSchedule, type Planned, taskOf } from './schedule.ts';

const planned: Planned = {
  service: 'app.ns.service.ns',
  instance: 0,
  kind: 'service',
  port: '8100:80',
  oneShot: false,
};
const task = taskOf(planned);
const order = { job_name: planned.service, instance_number: planned.instance };
const word = (status: string) => ({
  ...({ ms: 0, direction: 'in', topic: 'nodes/x/job' } as const),
  payload: { sname: planned.service, instance: planned.instance, status, status_detail: '', publicip: '' },
});
const bare: Observed = {
  ...{ processes: [], namespaces: [], links: [], ports: [], engineJournal: [], networkJournal: [], leftoversOf: [] },
};
const whole: Observed = {
  ...{ processes: [task], namespaces: [task], links: ['veth00oak2'], ports: [{ host: '8100', targets: 1 }] },
  ...{ engineJournal: [task], networkJournal: [task], leftoversOf: [] },
};

/** What is wrong after orders, all of them acknowledged, and words. */
const after = (observed: Observed, ...said: readonly string[]): readonly string[] => {
  const record = new Record();
  for (const one of said) {
    const sent = record.orderOn(`nodes/x/control/${one}`, JSON.stringify(order));
    if (sent) record.acknowledged(sent);
    else record.hear(word(one));
  }
  return problemsOf(record, [planned], observed);
};

t.test('the same seed draws the same rounds, another one others', async (t) => {
  t.same(drawSchedule('1/veth', 7), drawSchedule('1/veth', 7));
  t.notSame(drawSchedule('1/veth', 7), drawSchedule('1/veth', 8));
  t.notSame(drawSchedule('1/veth', 7), drawSchedule('2/veth', 7));
  const drawn = Array.from({ length: 300 }, (_, round) => drawSchedule('1', round));
  const kinds = new Set(drawn.flatMap(({ events }) => events.map((event) => 'kind' in event && event.kind)));
  t.equal(kinds.size, 17, 'every accident happens, beside orders');
});

t.test('what was told, what runs, what the kernel has and what the journals say have to agree', async (t) => {
  t.same(after(whole, 'deploy', 'CREATING', 'CREATED'), []);
  t.same(after(bare, 'deploy', 'CREATING', 'CREATED', 'delete', 'UNDEPLOYED'), []);
  t.same(after(bare, 'deploy', 'CREATING', 'FAILED'), []);
  for (const key of ['processes', 'namespaces', 'links', 'ports', 'engineJournal', 'networkJournal'] as const) {
    t.equal(after({ ...whole, [key]: [] }, 'deploy', 'CREATING', 'CREATED').length, 1, `told, but without ${key}`);
    t.not(after({ ...bare, [key]: whole[key] }, 'deploy', 'CREATING', 'DEAD').length, 0, `ended, but with ${key}`);
  }
  t.match(after({ ...bare, leftoversOf: ['a file'] }), [/left behind: a file/]);
});

t.test('an order that was acknowledged is carried out and told', async (t) => {
  t.match(after(bare, 'deploy'), [/the deploy was acknowledged, no word/]);
  t.match(after(bare, 'deploy', 'CREATING'), [/last word is CREATING/]);
  t.match(after(whole, 'deploy', 'CREATING', 'CREATED', 'delete'), [/the delete was acknowledged, UNDEPLOYED never/]);
  t.match(after(bare, 'deploy', 'CREATING', 'UNDEPLOYED', 'deploy'), [/the deploy was acknowledged, no word/]);
  t.match(after(bare, 'DEAD'), [/spoken of, but never ordered/]);
});
