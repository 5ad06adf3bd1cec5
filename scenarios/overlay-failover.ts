import { scenario } from '../lab/scenario/scenario.ts';
import { callOf, deployCaller, msUntilSteady, withinOnHardware } from '../lab/scenario/services/caller.ts';
import { deadline } from '../lab/system/wait.ts';
import { helloApp } from '../lab/wasm/app.ts';

/** After the cluster's update calls have to go on within this time, on native hardware. */
const recoveryMs = 2_000;
/** So long the load goes on: before something dies, and until all is right again. */
const loadSeconds = 30;

export default scenario({
  description:
    'How many calls are lost, and how soon do they go on, when an instance and then a whole board dies under load?',
  requires: ['bridge', 'nft', 'serve', 'port-forward'],
  network: { topology: 'bridged', subnet: '10.10.0.0', subnet6: 'fd00:10::' },
  machines: 2,
  onRequest: true,
  ownApps: true,
  seconds: 240,

  async run({ step, board: one, boardNumber, lab, cluster, precompile, deploy, undeploy, load, record }) {
    const two = boardNumber(2);
    const before = await step("record the first board's state", one, one.snapshot);
    const app = await helloApp();
    const right = { status: 200, body: Buffer.from(app.body ?? '') };

    const instances = { service: 'lab.test.called.test', app };
    const near = await step('deploy an instance on the first board', lab, () => deploy(instances));
    await step('deploy one on the second', lab, () => deploy({ ...instances, instance: 1, on: two }));
    const third = await step('and another one', lab, () => deploy({ ...instances, instance: 2, on: two }));
    const caller = await step('deploy one that calls them on the first', lab, () =>
      deployCaller({ precompile, deploy }),
    );
    const url = callOf(await step('reach the caller', lab, () => one.forward(8080)), near.serviceAddress.v4);

    const limitMs = 10 * recoveryMs * one.machine.timeoutFactor;
    /** Loads the service, lets something happen, and finds how many calls were lost and how soon all are right again. */
    const during = async (what: string, happens: () => Promise<unknown>, signal: AbortSignal) => {
      const limit = (of: string) => deadline(limitMs, of, signal);
      const recovers = async () => {
        await msUntilSteady(lab.get, url, limit('the first calls under load'));
        await happens();
        return await msUntilSteady(lab.get, url, limit('the recovery'));
      };
      const [{ sent, responses, wrongStatus, wrongBody }, ms] = await Promise.all([
        load(what, url, right, { mayFail: true, seconds: loadSeconds }),
        recovers(),
      ]);
      const dimensions = { what };
      record({ name: 'failover.recovery', unit: 'ms', kind: 'performance', where: 'lab', dimensions, samples: [ms] });
      const lost = sent - responses + wrongStatus;
      record({ name: 'failover.lost', unit: '1', kind: 'count', where: 'lab', dimensions, samples: [lost] });
      // A failed call has another body, too.
      return { ms, wrongBody: wrongBody - wrongStatus };
    };

    await step('an instance dies: calls go on', two, async ({ $, signal, expect }) => {
      const { ms, wrongBody } = await during(
        'an instance dies',
        async () => {
          await $`ip netns pids ${third.task} | xargs kill -KILL`;
          await third.deployment.status('DEAD', deadline(limitMs, 'status DEAD', signal));
        },
        signal,
      );
      withinOnHardware(expect, one.machine, ms, recoveryMs);
      expect.equal('wrong bodies', wrongBody, 0);
    });
    await step('delete it, as a cluster does', lab, () => undeploy(third));

    await step('the second board dies: calls go on', lab, async ({ signal, expect }) => {
      const { ms, wrongBody } = await during(
        'a board dies',
        async () => {
          await two.powerOff();
          cluster.workerLost(two.name);
        },
        signal,
      );
      withinOnHardware(expect, one.machine, ms, recoveryMs);
      expect.equal('wrong bodies', wrongBody, 0);
    });

    await step('undeploy the caller', lab, () => undeploy(caller));
    await step('undeploy the last instance', lab, () => undeploy(near));
    await step("compare the first board's state", one, async ({ expect }) => {
      expect.equal('differences from the recorded state', await one.changes(before), []);
    });
  },
});
