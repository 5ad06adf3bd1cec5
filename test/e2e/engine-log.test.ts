import t, { type Test } from 'tap';
import { type ClusterTalk, readEngineLog } from '../../lab/standing/joined/engine-log.ts';
import { until } from '../../lab/system/wait.ts';
import { startCluster } from '../support/cluster/engine.ts';
import { createDaemon, noWasmtime } from '../worker/node-engine/support/daemon.ts';

const id = 'a'.repeat(24);

/** What is read in the log of a NodeEngine that works for a cluster, once it is as it should be. */
const talkWith = async (
  t: Test,
  port: number,
  isThere: (talk: ClusterTalk) => boolean,
): Promise<{
  readonly talk: ClusterTalk;
  readonly again: (isThere: (talk: ClusterTalk) => boolean) => Promise<ClusterTalk>;
}> => {
  const engine = await createDaemon(port, { overlay_network: 'disabled' });
  t.teardown(() => engine[Symbol.asyncDispose]());
  engine.start();
  const again = (isThereNow: (talk: ClusterTalk) => boolean) =>
    until(() => {
      const talk = readEngineLog(engine.log());
      return isThereNow(talk) ? talk : undefined;
    }, AbortSignal.timeout(120_000));
  return { talk: await again(isThere), again };
};

t.test('what a NodeEngine says of a cluster that takes it, and that vanishes', { skip: noWasmtime }, async (t) => {
  const cluster = await startCluster();
  const { talk, again } = await talkWith(t, cluster.port, ({ broker }) => broker !== undefined);
  t.match(talk, { registration: { id, dialect: '403' }, broker: /^127\.0\.0\.1:\d+$/ });
  t.equal(talk.trouble, undefined);
  await cluster[Symbol.asyncDispose]();
  const vanished = await again(({ trouble = '' }) => /ECONNREFUSED/.test(trouble));
  t.match(vanished, { registration: { id }, trouble: /ECONNREFUSED/ });
  t.equal(vanished.broker, undefined);
});

t.test('what it says of a cluster that refuses it', { skip: noWasmtime }, async (t) => {
  await using cluster = await startCluster({ register: () => 404 });
  const { talk } = await talkWith(t, cluster.port, ({ trouble }) => trouble !== undefined);
  t.match(talk.trouble, /^the cluster at 127\.0\.0\.1:\d+ refused the worker with 404: not now$/);
});

t.test('what was known stays known where later lines do not tell it', async (t) => {
  const before = readEngineLog('2026-01-01T00:00:00.000Z INFO registered with c as b1 in the dialect 400\n');
  t.strictSame(before, { registration: { id: 'b1', dialect: '400' } });
  const lost = readEngineLog('cut off\n2026-01-01T00:00:01.000Z WARN the broker went; connecting again\n', before);
  t.strictSame(lost, { registration: { id: 'b1', dialect: '400' }, trouble: 'the broker went' });
  const back = readEngineLog('2026-01-01T00:00:02.000Z INFO connected to the broker at c:1883\n', lost);
  t.strictSame(back, { registration: { id: 'b1', dialect: '400' }, broker: 'c:1883' });
  t.strictSame(readEngineLog('', back), back);
});

t.test('what NetManager does not do is no trouble of the cluster', async (t) => {
  const talk = readEngineLog(
    [
      '2026-01-01T00:00:00.000Z INFO registered with c as b1 in the dialect 403',
      '2026-01-01T00:00:01.000Z INFO connected to the broker at c:1883',
      '2026-01-01T00:00:02.000Z WARN NetManager refused /register with 503: no addresses yet; trying again',
      '2026-01-01T00:00:03.000Z WARN a.b.c.d.instance.0: no answer; trying again',
    ].join('\n'),
  );
  t.equal(talk.trouble, undefined);
  t.match(talk, { broker: 'c:1883', network: 'NetManager refused /register with 503: no addresses yet' });
});
