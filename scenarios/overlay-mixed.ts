import { scenario } from '../lab/scenario/scenario.ts';
import { deadline, until } from '../lab/system/wait.ts';
import { helloApp } from '../lab/wasm/app.ts';

/** A net manager may keep what it knows of a service for a minute, and ask after that again (contract, section 7). */
const learnMs = 70_000;

export default scenario({
  description: 'Do services on this worker and on one with another NetManager reach each other?',
  requires: ['bridge', 'nft', 'ipv6', 'serve'],
  network: { topology: 'bridged', subnet: '10.10.0.0', subnet6: 'fd00:10::' },
  machines: 2,
  otherNetManager: true,
  onRequest: true,
  ownApps: true,
  seconds: 600,

  async run({ step, board: one, boardNumber, lab, deploy, undeploy }) {
    const two = boardNumber(2);
    const before = await step("record the first board's state", one, one.snapshot);
    const app = await helloApp();
    const ours = await step('deploy a service on the first board', lab, () =>
      deploy({ service: 'lab.test.ours.test', app }),
    );
    const other = await step('deploy one on the second, with the other NetManager', lab, () =>
      deploy({ service: 'lab.test.other.test', app, on: two }),
    );

    for (const family of ['v4', 'v6'] as const)
      for (const [way, from, to] of [
        ['the other from ours', ours, other],
        ['ours from the other', other, ours],
      ] as const)
        for (const [what, addresses] of [
          ['service address', to.serviceAddress],
          ['instance address', to.instanceAddress],
        ] as const)
          await step(
            `call ${way} by its ${what} ${addresses[family]}`,
            from.instance,
            async ({ get, signal, expect }) => {
              const host = family === 'v6' ? `[${addresses.v6}]` : addresses.v4;
              const answers = () =>
                get(`http://${host}/`).then(
                  (answer) => (answer.status === 200 ? answer : undefined),
                  () => undefined,
                );
              const limit = deadline(learnMs * one.machine.timeoutFactor, 'an answer', signal);
              expect.equal('body', (await until(answers, limit)).bytes, Buffer.from(app.body ?? ''));
            },
          );

    await step('undeploy both', lab, async () => {
      await undeploy(other);
      await undeploy(ours);
    });
    await step("compare the first board's state", one, async ({ expect }) => {
      expect.equal('differences from the recorded state', await one.changes(before), []);
    });
  },
});
