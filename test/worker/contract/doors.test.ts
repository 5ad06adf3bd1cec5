import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { InvalidData, parseJson } from '../../../worker/contract/check.ts';
import { isServiceName, taskId } from '../../../worker/contract/names.ts';
import { formatPorts, parsePorts } from '../../../worker/contract/ports.ts';
import { parseConfig, readConfig } from '../../../worker/net-manager/config.ts';
import { Contents, openJournal } from '../../../worker/net-manager/journal.ts';
import { Entry } from '../../../worker/node-engine/instances/entry.ts';
import { Journal } from '../../../worker/node-engine/instances/journal.ts';
import { parseSettings, readSettings } from '../../../worker/node-engine/settings.ts';
import { memoryFolder } from '../../support/files/memory-folder.ts';
import { fewInputs, inputs } from '../../support/inputs.ts';

const seeded = inputs(20_261_126);
const few = fewInputs(20_261_126);
const ignore = () => undefined;
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

t.test('port mappings mean what they say, in any order', async () => {
  const port = fc.integer({ min: 1, max: 65_535 });
  const mapping = fc.record({ host: port, inner: port, protocol: fc.constantFrom('tcp' as const, 'udp' as const) });
  const different = { selector: ({ host, protocol }: { host: number; protocol: string }) => `${host}/${protocol}` };
  fc.assert(
    fc.property(fc.uniqueArray(mapping, different), (mappings) => {
      return JSON.stringify(parsePorts(formatPorts(mappings))) === JSON.stringify(mappings);
    }),
    seeded,
  );
});

t.test('a host port may be said twice, but leads to one place', async (t) => {
  t.same(parsePorts('80:8080; 80:8080/tcp,80/udp'), [
    { host: 80, inner: 8080, protocol: 'tcp' },
    { host: 80, inner: 80, protocol: 'udp' },
  ]);
  t.throws(() => parsePorts('80:80;80:81'), /host port 80\/tcp is mapped twice/);
});

t.test('any other text of ports is refused, and nothing of it is taken', async () => {
  const text = fc.oneof(
    fc.string(),
    fc.stringMatching(/^[0-9:;,/tcpud -]{1,30}$/),
    fc.constantFrom('80:80/tcp} ; flush ruleset', '0:80', '80:65536', '80;80', '80,,81 ; 82', '٨٠', '80:80/TCP', '80/'),
  );
  fc.assert(
    fc.property(text, (ports) => {
      try {
        const mappings = parsePorts(ports);
        const [first] = mappings;
        return first === undefined ? /^[;,\s]*$/.test(ports) : /^[0-9:;,/tcpud\s]+$/.test(ports);
      } catch (error) {
        return error instanceof InvalidData;
      }
    }),
    seeded,
  );
});

t.test('a name is taken only when it can be a file’s, a namespace’s and an argument as it is', async () => {
  const part = fc.oneof(fc.stringMatching(/^[a-zA-Z0-9]{1,31}$/), fc.string({ maxLength: 4 }));
  const name = fc.oneof(
    fc.string(),
    fc.array(part, { minLength: 3, maxLength: 5 }).map((parts) => parts.join('.')),
  );
  const right = (text: string) =>
    text.split('.').length === 4 && text.split('.').every((one) => /^\w{1,30}$/.test(one));
  fc.assert(
    fc.property(name, fc.nat(999_999_999), (text, instance) => {
      if (!isServiceName(text)) return !right(text) || text.includes('_');
      return right(text) && basename(taskId(text, instance)) === `${text}.instance.${instance}`;
    }),
    seeded,
  );
});

/** Text that could stand in a file: values of the right names and wrong ones, other documents, no document at all. */
const textWith = (known: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<string> => {
  const fields = Object.entries(known).map(([key, value]) => [key, fc.oneof(value, fc.jsonValue())] as const);
  const document = fc.record(Object.fromEntries(fields), { requiredKeys: [] });
  return fc.oneof(
    document.map((value) => JSON.stringify(value)),
    fc.json(),
    fc.string(),
  );
};

/** What `read` gives, or the refusal with the name of a file; anything else that is thrown is a fault. */
const understand = <T>(read: () => T, name: string): T | string => {
  try {
    return read();
  } catch (error) {
    if (error instanceof InvalidData && error.message.startsWith(name)) return error.message;
    throw error;
  }
};
const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

const settingsText = textWith({
  cluster_address: fc.oneof(fc.domain(), fc.ipV4()),
  cluster_port: fc.nat(70_000),
  overlay_network: fc.constantFrom('default', 'custom:/x', '', 'disabled', 'other'),
  virtualizations: fc.array(fc.record({ virutalizaiton_name: fc.string(), virtualization_runtime: fc.string() })),
});

t.test('a conf.json of any content is understood or refused with its name', async () => {
  fc.assert(
    fc.property(settingsText, (text) => {
      const read = understand(() => parseSettings(text, '/etc/conf.json', undefined, ignore), '/etc/conf.json');
      return typeof read === 'string' || typeof read.logs === 'string';
    }),
    seeded,
  );
});

t.test('a file of any size means what its text means', async (t) => {
  const file = join(await memoryFolder(t), 'conf.json');
  await fc.assert(
    fc.asyncProperty(settingsText, fc.constantFrom(0, 2048, 100_000), async (content, padding) => {
      const text = content + ' '.repeat(padding);
      await writeFile(file, text);
      const read = await readSettings(file, undefined, ignore).catch(({ message }: Error) => message);
      return same(
        read,
        understand(() => parseSettings(text, file, undefined, ignore), file),
      );
    }),
    few,
  );
});

const netText = textWith({
  NodePublicAddress: fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()),
  NodePublicPort: fc.nat(70_000).map(String),
  ClusterMqttPort: fc.nat(70_000).map(String),
  DefaultInterface: fc.oneof(fc.constantFrom('eth0', 'a" accept', '../x'), fc.string()),
  Egress: fc.oneof(fc.constantFrom('on', 'off'), fc.array(fc.oneof(fc.ipV4(), fc.string()))),
});
const tunnelText = textWith({ MTUsize: fc.nat(70_000), TunnelPort: fc.nat(70_000) });

t.test('netcfg.json and tuncfg.json likewise', async () => {
  fc.assert(
    fc.property(netText, tunnelText, (first, second) => {
      const read = understand(() => parseConfig('/etc/netmanager', first, second, ignore), '/etc/netmanager/');
      return typeof read === 'string' || /^[^\s/:"\\]{0,15}$/.test(read.net.DefaultInterface ?? '');
    }),
    seeded,
  );
});

t.test('their files mean what their texts mean', async (t) => {
  const folder = await memoryFolder(t);
  await fc.assert(
    fc.asyncProperty(netText, tunnelText, async (first, second) => {
      await writeFile(join(folder, 'netcfg.json'), first);
      await writeFile(join(folder, 'tuncfg.json'), second);
      const read = await readConfig(folder, ignore).catch(({ message }: Error) => message);
      return same(
        read,
        understand(() => parseConfig(folder, first, second, ignore), folder),
      );
    }),
    few,
  );
});

const job = fc.record({ job_name: fc.string(), instance_number: fc.nat(), image: fc.string() });
const journalText = textWith({
  ...{ job, ready: fc.boolean(), entries: fc.array(job) },
  changed: fc.dictionary(fc.string(), job),
});

t.test('journals of any content are understood or refused', async () => {
  const read = (text: string) => {
    for (const schema of [Entry, Contents]) understand(() => parseJson(schema, text, 'the journal'), 'the journal');
  };
  fc.assert(fc.property(journalText, read), seeded);
});

t.test('and read as far as they can be', async (t) => {
  const folder = await memoryFolder(t);
  for (const name of ['engine', 'manager']) await mkdir(join(folder, name));
  await fc.assert(
    fc.asyncProperty(journalText, async (content) => {
      await writeFile(join(folder, 'manager', 'journal.json'), content);
      await writeFile(join(folder, 'engine', 'a.b.c.d.instance.0.json'), content);
      const { contents } = await openJournal(join(folder, 'manager'), silent);
      const entries = await new Journal(join(folder, 'engine'), join(folder, 'spare'), silent).read();
      return Array.isArray(contents.entries) && entries.size <= 1;
    }),
    few,
  );
});
