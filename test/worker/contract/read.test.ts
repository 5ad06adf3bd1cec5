import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { InvalidData } from '../../../worker/contract/check.ts';
import { EngineConfig, NetConfig } from '../../../worker/contract/config.ts';
import { DeleteRequest, readDeployRequest } from '../../../worker/contract/job.ts';
import { NetDeployRequest, readDeployAnswer } from '../../../worker/contract/net-http.ts';
import { TableResult } from '../../../worker/contract/net-mqtt.ts';
import { read, type Warn } from '../../../worker/contract/read.ts';
import { parseConfig } from '../../../worker/net-manager/config.ts';
import { defaultServing } from '../../../worker/node-engine/runtime/serving.ts';
import { planRun } from '../../../worker/node-engine/runtime/wasmtime/command.ts';
import { parseSettings } from '../../../worker/node-engine/settings.ts';
import { inputs } from '../../support/inputs.ts';
import { attempt, type Document } from './attempt.ts';
import { document, known } from './known-messages.ts';

type Change = 'none' | 'deleted' | 'null' | 'wrong';
const change = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Change>('none') },
  { weight: 1, arbitrary: fc.constantFrom<Change>('deleted', 'null', 'wrong') },
);
/** What is of no type that any of these documents has in that place. */
const wrongFor = (value: unknown): fc.Arbitrary<unknown> =>
  Array.isArray(value) ? fc.constantFrom<unknown>(7, 'text', {}) : fc.constantFrom<unknown>([7], { a: [] }, [[]]);
const unknownKeys = fc.dictionary(
  fc.string().map((key) => `another ${key}`),
  fc.jsonValue(),
);

/** A document of which any part is changed, with what was done to each key, and rows that are of no use put into lists. */
const changed = (good: Document) =>
  fc
    .record({
      changes: fc.record(Object.fromEntries(Object.keys(good).map((key) => [key, change]))),
      wrong: fc.record(Object.fromEntries(Object.entries(good).map(([key, value]) => [key, wrongFor(value)]))),
      rows: fc.array(fc.constantFrom<unknown>(null, 7, [], [null], true), { maxLength: 3 }),
      more: unknownKeys,
    })
    .map(({ changes, wrong, rows, more }) => {
      const made: Document = { ...more };
      for (const [key, value] of Object.entries(good)) {
        const how = changes[key];
        if (how === 'wrong') made[key] = wrong[key];
        if (how === 'null') made[key] = null;
        if (how !== 'none') continue;
        made[key] = Array.isArray(value) ? value.flatMap((row, at) => [row, ...rows.slice(at, at + 1)]) : value;
      }
      return { made, changes };
    });

/** True for a row without which a list means something else: a command has to have all its words. */
const isNeeded = (key: string, row: unknown): boolean =>
  key === 'cmd' && ['object', 'boolean'].includes(typeof row) && row !== null;

/** True when every row that was there before still is, in its order. */
const keeps = (rows: unknown, before: unknown): boolean => {
  if (!Array.isArray(before)) return isDeepStrictEqual(rows, before);
  if (!Array.isArray(rows)) return false;
  let at = 0;
  for (const row of rows) if (isDeepStrictEqual(row, before[at])) at += 1;
  return at === before.length;
};

for (const [name, { good, needed, refused = [], read: reading }] of Object.entries(known))
  t.test(`${name}: what is still of use is used`, async (t) => {
    const text = JSON.stringify(good);
    const notes: string[] = [];
    const whole = reading(text, (line) => notes.push(line)) as Document;
    t.same(notes, [], 'nothing of the whole message is left out');
    fc.assert(
      fc.property(changed(good), ({ made, changes }) => {
        const result = attempt(() => reading(JSON.stringify(made), () => undefined));
        const lacking = needed.some((key) => changes[key] !== 'none');
        const offends = (key: string) => {
          const rows = changes[key] === 'none' && Array.isArray(made[key]) ? made[key] : [];
          return changes[key] === 'wrong' || rows.some((row) => isNeeded(key, row));
        };
        const offending = refused.some(offends);
        if (lacking || offending) return result instanceof InvalidData;
        if (result instanceof InvalidData) return false;
        const same = Object.keys(changes).every((key) => changes[key] !== 'none' || keeps(result[key], whole[key]));
        const fewer = Object.fromEntries(Object.entries(made).filter(([, value]) => value !== null));
        const other = reading(JSON.stringify(fewer), () => undefined) as Document;
        return same && Object.keys(good).every((key) => isDeepStrictEqual(result[key] ?? {}, other[key] ?? {}));
      }),
      inputs(20_261_201, 500),
    );
  });

const lines = (): { readonly notes: string[]; readonly note: Warn } => {
  const notes: string[] = [];
  return { notes, note: (line) => void notes.push(line) };
};

t.test('rows of instances that are not deployed yet stay, rows that are none go', async (t) => {
  const { notes, note } = lines();
  const table = document('table-result-not-deployed');
  const list = table['instance_list'] as unknown[];
  const result = read(
    TableResult,
    { ...table, instance_list: [...list, { instance_number: 'none' }, null] },
    'it',
    note,
  );
  t.match(result.instance_list, [{ namespace_ip: '10.18.0.2' }, { instance_number: 1, instance_ip: '10.30.0.4' }]);
  t.equal(result.instance_list.length, 2);
  t.match(notes, [
    /^it: instance_list\.2\.instance_number must be integer.*left out/,
    /^it: instance_list\.3 must be object/,
  ]);
});

t.test('thousands of bad rows make a few lines', async (t) => {
  const { notes, note } = lines();
  read(TableResult, { instance_list: Array.from({ length: 5000 }, () => 0) }, 'it', note);
  t.equal(notes.length, 11);
  t.match(notes.at(-1), /4990 more/);
});

t.test('a megabyte of nothing but faults is refused at once, and few are told', async (t) => {
  const job = { job_name: 'a.b.c.d', instance_number: 1, image: 'http://h/a.wasm' };
  const reading = (more: object) => () => readDeployRequest(JSON.stringify({ ...job, ...more }), () => undefined);
  const many = Array.from({ length: 9000 }, () => 0);
  t.same(reading({ environment: many })().environment, []);
  t.throws(reading({ cmd: many.map(() => true) }), /cmd\.9 must be string .*; 8990 more faults$/);
  t.throws(reading({ environment: Array.from({ length: 300_000 }, () => 0) }), /more than 10000 faults/);
});

t.test('however deep a document is nested, it is read and can be written', async (t) => {
  const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
  const job = (more: string) =>
    readDeployRequest(`{"job_name":"a.b.c.d","instance_number":1,"image":"a.b/c",${more}}`, () => undefined);
  for (const more of [
    `"x":${deep}`,
    `"volumes":[${deep}]`,
    `"environment":["A=1",${deep}]`,
    `"memory":"x","x":${deep}`,
  ])
    try {
      t.equal((JSON.parse(JSON.stringify(job(more))) as { job_name: string }).job_name, 'a.b.c.d');
    } catch (error) {
      t.match(error, { name: 'InvalidData', message: /memory must be number/ });
    }
});

t.test('numbers, truth values and digits mean what they say', async (t) => {
  const { notes, note } = lines();
  const conf = { cluster_address: 'c', cluster_port: '10101', cluster_ssl: 'True' };
  t.match(read(EngineConfig, conf, 'it', note), { cluster_port: 10_101, cluster_ssl: true });
  t.match(read(NetConfig, { ClusterMqttPort: 1883 }, 'it', note), { ClusterMqttPort: '1883', NodePublicPort: '50103' });
  t.same(notes, []);
});

t.test('a job may have numbers where texts belong, and blank fields where numbers do', async (t) => {
  const { notes, note } = lines();
  const job = { job_name: 'a.b.c.d', instance_number: '1', image: 'http://h/a.wasm' };
  const more = { cmd: ['--port', 8080, '--share', 0.5], port: 8080, memory: '', vcpus: ' ' };
  t.same(readDeployRequest(JSON.stringify({ ...job, ...more }), note), {
    ...{ ...job, virtualization: 'wasm', instance_number: 1 },
    ...{ cmd: ['--port', '8080', '--share', '0.5'], port: '8080' },
  });
  t.match(read(NetDeployRequest, { serviceName: 's', instanceNumber: 0, portMappings: 80 }, 'it', note), {
    portMappings: '80',
  });
  t.match(read(EngineConfig, { cluster_address: 'c', cluster_port: '' }, 'it', note), { cluster_port: 10_100 });
  t.throws(() => read(DeleteRequest, { job_name: 'a.b.c.d', instance_number: '' }, 'it', note), /instance_number/);
  t.same(notes, []);
});

t.test('a command that lacks one of its words is refused, with the place', async (t) => {
  const job = { job_name: 'a.b.c.d', instance_number: 1, image: 'http://h/a.wasm' };
  const reading = (cmd: unknown) => () => readDeployRequest(JSON.stringify({ ...job, cmd }), () => undefined);
  t.throws(reading(['--verbose', true]), /cmd\.1 must be string \(got true\)/);
  t.throws(reading([{ name: 'serve' }, 'x']), /cmd\.0 must be string/);
  t.same(reading(['serve', null, ' ', 5])().cmd, ['serve', '5'], 'blank rows are none');
});

t.test('an address from a net manager is one', async (t) => {
  t.throws(() => readDeployAnswer('{"nsAddress":"host.example"}', () => undefined), /'host\.example' is no address/);
});

t.test('what would weaken the worker if it were left out is refused', async (t) => {
  const conf = (more: Document) => () =>
    parseSettings(JSON.stringify({ cluster_address: 'c', ...more }), 'conf.json', undefined, () => undefined);
  t.throws(conf({ cluster_ssl: 'perhaps' }), /cluster_ssl must be boolean/);
  t.throws(conf({ mqtt_cert_file: 5 }), /mqtt_cert_file must be string/);
  t.throws(conf({ mqtt_cert_file: '/c.pem' }), /set both or neither/);
  t.doesNotThrow(conf({ mqtt_cert_file: null, mqtt_key_file: '' }));
  t.throws(() => parseConfig('/n', '{"Egress":"of"}', undefined, () => undefined), /Egress must be equal to one of/);
});

t.test('the job of the dashboard runs without its blank rows, and what is not mounted is said', async (t) => {
  const { notes, note } = lines();
  const job = readDeployRequest(JSON.stringify(document('job-as-the-dashboard-sends-it')), note);
  t.match(job, { cmd: [], environment: [], port: '5000:80/tcp;6000:6000/udp' });
  t.same(notes, []);
  const info = { kind: 'component', exports: ['wasi:http/incoming-handler@0.2.0'], imports: [], needs: [] } as const;
  const host = {
    serving: defaultServing,
    processors: 4,
    ipv6: true,
    runtime: { version: '48.0.2', lacks: new Set<never>() },
  };
  t.match(planRun(job, info, host), { port: 80, notes: ['volumes are not mounted on this node: v1 at /data'] });
  const odd = { ...job, environment: ['A=1', ' ', 'B', { name: 'C' }], volumes: ['v2', null] };
  const left = readDeployRequest(JSON.stringify(odd), note);
  t.same(left.environment, ['A=1']);
  t.match(notes, [/environment\.3 must be string/, /'B' is not K=V; left out/]);
  t.match(planRun(left, info, host).notes, ['volumes are not mounted on this node: v2, a volume']);
});
