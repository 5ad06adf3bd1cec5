import { scenario } from '../lab/scenario/scenario.ts';
import { expectFirst } from '../lab/scenario/targets/answer.ts';
import { fixtureApp } from '../lab/wasm/app.ts';

const fromLab = 'Hello from the lab\n';

export default scenario({
  description: 'Does a service on a veth pair of its own answer, inside and out, and reach others only when it may?',
  requires: ['veth', 'nft', 'serve'],
  network: { topology: 'veth', subnet: '10.0.0.0', subnet6: 'fd00::', egress: 'off' },

  async run({ step, board, lab, expectedAnswer, deploy, undeploy, serve, configure, snapshot, changes, firstAnswer }) {
    const before = await step("record the board's state", board, snapshot);
    const service = await step('deploy through the worker', lab, async ({ expect }) => {
      const deployed = await deploy();
      expect.equal('the instance has the first address of the subnet', deployed.address.v4, '10.0.0.2');
      return deployed;
    });
    await step('HTTP on localhost from the instance', service.instance, async ({ get, expect }) => {
      const answer = await get(`http://localhost:80${expectedAnswer.path}`);
      firstAnswer(answer);
      expectFirst(expect, answer, expectedAnswer);
    });
    await step('HTTP on 10.0.0.2 from the board', board, async ({ $, get, expect }) => {
      expect.equal('status', (await get(`http://10.0.0.2${expectedAnswer.path}`)).status, expectedAnswer.status);
      expect.match('the gateway is on the pair', (await $`ip -brief address show to 10.0.0.1`).stdout, /^veth/);
      const bridges = (await $`ip -brief link show type bridge`).stdout;
      expect.equal('there is no bridge', bridges, '');
    });

    const target = await serve(fromLab);
    const asking = await step('deploy a service that asks others', lab, async () =>
      deploy({ app: await fixtureApp('egress-wasi-http'), instance: 1 }),
    );
    const url = `http://${asking.address.v4}/${target}`;
    await step('without egress it gets no answer', board, async ({ get, expect }) => {
      expect.equal('status', (await get(url)).status, 502);
    });
    await step('allow egress', board, () => configure({ egress: 'on' }));
    await step('with egress it gets one', board, async ({ get, expect }) => {
      const { status, body } = await get(url);
      expect.equal('what the lab serves', { status, body }, { status: 200, body: fromLab });
    });
    await step('forbid it again', board, () => configure({ egress: 'off' }));
    await step('without egress it gets no answer again, and both still serve', board, async ({ get, expect }) => {
      expect.equal('status of the one that asks', (await get(url)).status, 502);
      expect.equal(
        'status of the other',
        (await get(`http://10.0.0.2${expectedAnswer.path}`)).status,
        expectedAnswer.status,
      );
    });

    await step('undeploy', lab, async () => {
      await undeploy(asking);
      await undeploy(service);
    });
    await step("compare the board's state", board, async ({ expect }) => {
      expect.equal('differences from the recorded state', await changes(before), []);
    });
  },
});
