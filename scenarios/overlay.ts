import { scenario } from '../lab/scenario/scenario.ts';
import { callOf, deployCaller } from '../lab/scenario/services/caller.ts';
import { deadline, until } from '../lab/system/wait.ts';
import { helloApp } from '../lab/wasm/app.ts';

/** An address of the overlay that no service has. */
const nobody = '10.30.250.250';
const waitMs = 5_000;

export default scenario({
  description:
    'Does a service on one board reach a service on another by its service address, and by nothing else when that is gone?',
  requires: ['bridge', 'nft', 'ipv6', 'serve', 'port-forward'],
  network: { topology: 'bridged', subnet: '10.10.0.0', subnet6: 'fd00:10::' },
  machines: 2,
  ownApps: true,
  seconds: 240,

  async run({ step, board: one, boardNumber, lab, precompile, deploy, undeploy, load, firstAnswer }) {
    const two = boardNumber(2);
    const before = await step("record the first board's state", one, one.snapshot);
    const before2 = await step("record the second board's state", two, two.snapshot);

    const hello = await helloApp();
    const right = { status: 200, body: Buffer.from(hello.body ?? '') };
    const called = await step('deploy a service on the second board', lab, () =>
      deploy({ service: 'lab.test.called.test', app: hello, on: two }),
    );
    const caller = await step('deploy one that calls it on the first', lab, () => deployCaller({ precompile, deploy }));
    const endpoint = await step('reach the caller', lab, () => one.forward(8080));

    for (const [what, { v4, v6 }] of [
      ['service address', called.serviceAddress],
      ['instance address', called.instanceAddress],
    ] as const)
      for (const address of [v4, v6])
        await step(`call it by its ${what} ${address}`, lab, async ({ get, expect }) => {
          const answer = await get(callOf(endpoint, address));
          firstAnswer(answer);
          expect.equal('status', answer.status, 200);
          expect.equal('body', answer.bytes, right.body);
        });

    await step('load it by its service address', lab, () =>
      load('service address', callOf(endpoint, called.serviceAddress.v4), right),
    );
    await step('load it by its instance address', lab, () =>
      load('instance address', callOf(endpoint, called.instanceAddress.v4), right),
    );
    await step('an address without a service is refused', lab, async ({ get, expect }) => {
      expect.equal('status', (await get(callOf(endpoint, nobody))).status, 502);
    });

    await step('undeploy it', lab, () => undeploy(called));
    await step('soon nobody answers there', lab, async ({ get, signal, expect }) => {
      const refused = async () => {
        const { status } = await get(callOf(endpoint, called.serviceAddress.v4));
        return status === 502 ? status : undefined;
      };
      const ends = deadline(waitMs * one.machine.timeoutFactor, 'the refusal', signal);
      expect.equal('status', await until(refused, ends), 502);
    });
    await step('undeploy the caller', lab, () => undeploy(caller));
    await step("compare the first board's state", one, async ({ expect }) => {
      expect.equal('differences from the recorded state', await one.changes(before), []);
    });
    await step("compare the second board's state", two, async ({ expect }) => {
      expect.equal('differences from the recorded state', await two.changes(before2), []);
    });
  },
});
