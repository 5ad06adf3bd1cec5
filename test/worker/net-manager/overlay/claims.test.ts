import t from 'tap';
import { openClaims } from '../../../../worker/net-manager/overlay/claims.ts';

const [node, other] = ['192.168.77.12', '192.168.77.13'];
const [one, two] = ['10.30.1.1', '10.30.2.1'];

const claimsWith = () => {
  const clock = { ms: 0 };
  const known = new Set<string>();
  const isFrom = (at: string, source: string) => known.has(`${at} ${source}`);
  const claims = openClaims({ isFrom, pace: { denied: 5_000, held: 6_000 }, now: () => clock.ms });
  return { claims, clock, knows: (at: string, source: string) => known.add(`${at} ${source}`) };
};

t.test('the datagrams of a node wait for what the cluster says of each of their sources', async (t) => {
  const { claims, knows } = claimsWith();
  knows(node, one);
  t.same(claims.claim(node, [one]), [], 'known to be there: nothing to wait for');
  t.same(claims.claim(other, [one, two]), [one, two], 'known to be elsewhere is asked after, too: it may have moved');
  t.same(
    claims.answered((source) => source === one),
    [],
  );
  knows(other, two);
  t.same(
    claims.answered((source) => source === two),
    [other],
  );
  t.same(
    claims.answered(() => true),
    [],
    'and are let go once',
  );
});

t.test('one answer lets go all nodes that wait for it', async (t) => {
  const { claims } = claimsWith();
  for (const each of [node, other]) claims.claim(each, [one]);
  t.same(
    claims.answered((source) => source === one),
    [node, other],
  );
});

t.test('a source that is not there is not asked after again for a while', async (t) => {
  const { claims, clock } = claimsWith();
  claims.claim(node, [one]);
  claims.answered(() => true);
  t.same(claims.claim(node, [one]), []);
  t.same(claims.claim(other, [one]), [one], 'of another node it is');
  clock.ms = 5_001;
  t.same(claims.claim(node, [one]), [one]);
});

t.test('what a flood of sources has asked after and keeps is bounded', async (t) => {
  const { claims, clock } = claimsWith();
  const many = Array.from({ length: 100 }, (_, at) => `10.30.3.${at}`);
  t.equal(claims.claim(node, many).length, 16);
  clock.ms = 6_001;
  t.same(
    claims.answered(() => true),
    [],
    'a node whose datagrams the kernel has dropped waits no longer',
  );
});
