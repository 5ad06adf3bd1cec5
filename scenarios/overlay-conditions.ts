import { setTimeout as pause } from 'node:timers/promises';
import { scenario } from '../lab/scenario/scenario.ts';
import { callOf, deployCaller, msUntilSteady, withinOnHardware } from '../lab/scenario/services/caller.ts';
import { deadline } from '../lab/system/wait.ts';
import { helloApp } from '../lab/wasm/app.ts';

const partitionSeconds = 10;
const recoveryMs = 10_000;

export default scenario({
  description: 'Do calls between boards stand a slow and a lossy link, and go on after the boards were parted?',
  requires: ['bridge', 'nft', 'serve', 'port-forward'],
  network: { topology: 'bridged', subnet: '10.10.0.0', subnet6: 'fd00:10::' },
  machines: 2,
  onRequest: true,
  ownApps: true,
  seconds: 240,

  async run({ step, board: one, boardNumber, lab, precompile, deploy, undeploy, load, record }) {
    const two = boardNumber(2);
    const app = await helloApp();
    const right = { status: 200, body: Buffer.from(app.body ?? '') };
    const called = await step('deploy a service on the second board', lab, () =>
      deploy({ service: 'lab.test.called.test', app, on: two }),
    );
    const caller = await step('deploy one that calls it on the first', lab, () => deployCaller({ precompile, deploy }));
    const url = callOf(await step('reach the caller', lab, () => one.forward(8080)), called.serviceAddress.v4);

    await step('load with 50 ms more each way', lab, async () => {
      await two.link({ delayMs: 50 });
      await load('50 ms', url, right);
    });
    await step('load with 1 % of the packets lost', lab, async () => {
      const before = await two.link({ loss: 0.01 });
      await load('1 % loss', url, right);
      const { passed, lost } = await two.link({});
      const [frames, missing] = [passed - before.passed, lost - before.lost];
      record({ name: 'segment.passed', unit: '1', kind: 'count', where: 'lab', samples: [frames] });
      record({ name: 'segment.lost', unit: '1', kind: 'count', where: 'lab', samples: [missing] });
    });
    await step(`part the boards for ${partitionSeconds} s under load: calls go on`, lab, async (given) => {
      const { get, signal, expect } = given;
      const limitMs = recoveryMs * one.machine.timeoutFactor;
      const steady = (what: string) => msUntilSteady(get, url, deadline(limitMs, what, signal));
      const recovers = async () => {
        await steady('the first calls under load');
        await two.link({ isCut: true });
        await pause(1_000 * partitionSeconds, undefined, { signal });
        await two.link({});
        return await steady('the recovery');
      };
      const [{ wrongStatus, wrongBody }, ms] = await Promise.all([
        load('parted', url, right, { seconds: 4 * partitionSeconds, mayFail: true }),
        recovers(),
      ]);
      record({ name: 'partition.recovery', unit: 'ms', kind: 'performance', where: 'lab', samples: [ms] });
      withinOnHardware(expect, one.machine, ms, recoveryMs);
      // A failed call has another body, too.
      expect.equal('wrong bodies', wrongBody - wrongStatus, 0);
    });

    await step('undeploy', lab, async () => {
      await undeploy(caller);
      await undeploy(called);
    });
  },
});
