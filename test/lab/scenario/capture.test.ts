import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { joinPcaps } from '../../../lab/scenario/board/capture.ts';
import { withoutLocal } from '../../scenarios/local/local.ts';
import { scenarioText } from '../../scenarios/written.ts';
import { labWorld } from '../../support/lab.ts';
import { printedResults } from '../../support/report.ts';

const packetHeader = 16;

/** A pcap file's packets, as libpcap writes them on a little-endian computer (pcap-savefile(5)). */
const packetsIn = (file: Buffer): readonly Buffer[] => {
  const packets: Buffer[] = [];
  for (let at = 24; at < file.length; ) {
    const length = file.readUInt32LE(at + 8);
    packets.push(file.subarray(at + packetHeader, at + packetHeader + length));
    at += packetHeader + length;
  }
  return packets;
};

t.test('recordings are joined packet by packet, oldest first', async (t) => {
  const header = Buffer.alloc(24, 0xaa);
  const packet = (word: string) => {
    const head = Buffer.alloc(packetHeader);
    head.writeUInt32LE(word.length, 8);
    return Buffer.concat([head, Buffer.from(word)]);
  };
  const file = (...words: readonly string[]) => Buffer.concat([header, ...words.map(packet)]);
  const joined = joinPcaps([file('one', 'two'), file(), file('three')]);
  t.strictSame(joined.subarray(0, 24), header);
  t.strictSame(packetsIn(joined).map(String), ['one', 'two', 'three']);
});

t.test("a failed step's report has the packets that went to the instance", { skip: withoutLocal() }, async (t) => {
  await using world = await labWorld();
  const file = path.join(world.temporary, '..', 'mine.ts');
  await fs.writeFile(
    file,
    scenarioText(`
    const service = await step('deploy', lab, () => deploy());
    const url = 'http://' + service.address.v4 + '/';
    await step('load', board, async ({ get }) => {
      const { body } = await get(url + 'before-the-load');
      await load('service', url + 'under-load', { status: 200, body }, { from: board });
    });
    await step('ask', service.instance, async ({ $, expect }) => {
      await $\`ping -c 1 10.10.0.1\`;
      expect.match('answer', (await $\`curl -s \${url}after-the-load\`).stdout, /Hello/);
    });
    await step('from the board', board, async ({ get, expect }) => {
      expect.match('answer', (await get(url + 'for-the-packets')).body, /something else/);
    });
`),
  );
  const options = ['--machine', 'local', '--duration', '1', '--reports', world.reports, '--json'];
  const { code, stdout, stderr } = await world.run(['scenario', file, ...options]);
  t.equal(code, 1, { stderr });
  const { folder, results } = printedResults(stdout);
  const packets = packetsIn(await fs.readFile(path.join(folder, 'packets.pcap')));
  const saying = (text: string) => packets.some((packet) => packet.includes(text));
  t.ok(saying('GET /for-the-packets'), 'the request that was not answered as expected');
  t.ok(saying('Hello, wasi:http'), 'and the answer');
  t.ok(saying('GET /before-the-load'), 'what was before the load');
  t.notOk(saying('GET /under-load'), 'the load is not slowed down by being recorded');
  const instance = Buffer.from([10, 10, 0, 2]);
  t.ok(packets.some((packet) => packet.includes(instance)));
  t.match(results.run.failure, { step: 'from the board', packets: { file: 'packets.pcap' } });
  t.match(results.run.failure?.packets?.lines.join('\n'), /10\.10\.0\.2\.80/);
  t.match(await fs.readFile(path.join(folder, 'packets.log'), 'utf8'), /ICMP echo request/);
  t.match(await fs.readFile(path.join(folder, 'report.html'), 'utf8'), /packets\.pcap/);
});
