import t from 'tap';
import { crowdOf, withCrowd } from '../../bench/inside/overlay/crowd.ts';
import { figuresOf } from '../../bench/overlay.bench.ts';
import { parseJson } from '../../worker/contract/check.ts';
import { Contents } from '../../worker/net-manager/journal.ts';
import { desiredOverlayOf } from '../../worker/net-manager/plan/overlay/desired.ts';
import { addresses, serviceAt } from '../support/cluster/table.ts';
import { settingsWith } from '../worker/net-manager/settings.ts';

t.test('the overlay is judged by the ratios to the other ways, and to itself with one service', async (t) => {
  const costs = (request: number) => ({ request, connect: 2 * request, megabyte: 100 * request });
  const figures = figuresOf([
    ['bare', costs(1000)],
    ['VXLAN', costs(1100)],
    [{ services: 1, peers: 1 }, costs(1120)],
    [{ services: 1000, peers: 1 }, costs(1160)],
    [{ services: 1000, peers: 32 }, costs(1210)],
  ]);
  const judged = figures
    .filter(({ met }) => met !== undefined)
    .map(({ what, value, met }) => [what, value.toFixed(3), met]);
  t.match(
    judged.filter(([what]) => `${what}`.startsWith('request')),
    [
      ['request against VXLAN: overlay, 1 service, 1 peer', '1.018', true],
      ['request against VXLAN: overlay, 1,000 services, 1 peer', '1.055', false],
      ['request against VXLAN: overlay, 1,000 services, 32 peers', '1.100', false],
      ['request against one service: overlay, 1,000 services, 1 peer', '1.036', false],
    ],
  );
  t.match(
    judged.find(([what]) => `${what}`.startsWith('connection')),
    [/against bare/, '1.120', true],
  );
});

t.test('a crowd gives the tables of each node all services and all other nodes', async (t) => {
  const size = { services: 1000, peers: 32 };
  const journal = withCrowd(
    JSON.stringify({ changed: {}, entries: [], overlay: { services: [] } }),
    'a',
    crowdOf(size),
  );
  const { overlay } = parseJson(Contents, journal, 'the journal');
  const { elements, peers } = desiredOverlayOf(settingsWith({}), overlay?.services ?? [], []);
  t.equal(
    [...elements].filter((element) => element.startsWith('pick4 ')).length,
    size.services - 1,
    'but the called one',
  );
  t.equal(peers.size, size.peers);
  const one = withCrowd(journal, 'b', crowdOf({ services: 100, peers: 1 }));
  const again = parseJson(Contents, one, 'the journal').overlay?.services ?? [];
  t.equal(again.length, 99, 'in the place of the crowd before');
  t.equal(desiredOverlayOf(settingsWith({}), again, []).peers.size, 1);
});

t.test('the table of services in the stand-in for a cluster finds each by any of its addresses', async (t) => {
  for (const service of [1, 127, 128, 255, 256, 1255, 4095]) {
    const { any, of } = addresses(service);
    const all = [any, of(0), of(1)].flatMap(({ v4, v6 }) => [v4, v6]);
    t.same(
      all.map(serviceAt),
      all.map(() => service),
      `${service}`,
    );
    t.equal(new Set(all).size, 6);
  }
});
