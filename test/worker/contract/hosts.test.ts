import fc from 'fast-check';
import t from 'tap';
import { InvalidData } from '../../../worker/contract/check.ts';
import { parseConfig } from '../../../worker/net-manager/config.ts';
import { parseSettings } from '../../../worker/node-engine/settings.ts';
import { inputs } from '../../support/inputs.ts';
import { attempt, type Document } from './attempt.ts';

t.test('a host is written in more ways than one, and never with a scheme, a path or a port', async (t) => {
  const host = (cluster_address: string) =>
    parseSettings(JSON.stringify({ cluster_address }), 'conf.json', undefined, () => undefined).cluster?.host;
  for (const [written, meant] of [
    ['[2001:db8::10]', '2001:db8::10'],
    [' [2001:db8::10] ', '2001:db8::10'],
    ['\tcluster.example.org\n', 'cluster.example.org'],
    ['192.0.2.10', '192.0.2.10'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
    ['my_cluster', 'my_cluster'],
    ['', undefined],
    [' 0.0.0.0', undefined],
  ] as const)
    t.equal(host(written), meant, written);
  for (const [written, sentence] of [
    ['http://192.0.2.10:10100/', /has a scheme: write '192\.0\.2\.10', and 10100 into cluster_port/],
    ['https://user@cluster.example.org', /has a scheme: write 'cluster\.example\.org'/],
    ['192.0.2.10:10100', /has a port: write '192\.0\.2\.10', and 10100 into cluster_port/],
    ['[2001:db8::10]:10100', /has a port: write '2001:db8::10', and 10100 into cluster_port/],
    ['cluster/api', /has a path: write 'cluster'/],
    ['a b', /is no host/],
    ['[cluster]', /is no host/],
  ] as const)
    t.throws(() => host(written), sentence, written);
  const netcfg = (more: Document) => () => parseConfig('/n', JSON.stringify(more), undefined, () => undefined).net;
  t.match(netcfg({ NodePublicAddress: ' [2001:db8::7] ' })(), { NodePublicAddress: '2001:db8::7' });
  t.throws(
    netcfg({ NodePublicAddress: '203.0.113.7:50103' }),
    /NodePublicAddress.*has a port.*50103 into NodePublicPort/,
  );
  t.throws(netcfg({ ClusterUrl: 'tcp://192.0.2.10' }), /ClusterUrl: 'tcp:\/\/192\.0\.2\.10' has a scheme/);
});

t.test('any text is a host or a refusal', async () => {
  const word = fc.constantFrom('http://', '[', ']', ':', '/', '@', '80', '::1', 'host', '.', ' ', '%', '?');
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(word).map((words) => words.join('')),
      ),
      (cluster_address) => {
        const text = JSON.stringify({ cluster_address });
        const read = attempt(() => parseSettings(text, 'conf.json', undefined, () => undefined) as unknown as Document);
        return (
          read instanceof InvalidData || !/[\s/[\]@?]/.test(String((read['cluster'] as Document | undefined)?.['host']))
        );
      },
    ),
    inputs(20_261_202),
  );
});
