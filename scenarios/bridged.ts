import { changes } from '../lab/scenario/board/footprint.ts';
import { scenario } from '../lab/scenario/scenario.ts';

export default scenario({
  description:
    'Does a service deployed by the worker into a bridged namespace answer, inside and out, and leave nothing behind?',
  requires: ['bridge', 'nft', 'serve', 'port-forward'],
  network: { topology: 'bridged', subnet: '10.10.0.0', subnet6: 'fd00:10::' },

  async run({ step, board, lab, app, deploy, undeploy, forward, load, footprint, firstAnswer }) {
    const before = await step('take down what is on the board', board, footprint);

    const service = await step('deploy through the worker', lab, async ({ expect }) => {
      const deployed = await deploy({ port: '8080:80' });
      expect.equal('the instance has the first address of the subnet', deployed.address.v4, '10.10.0.2');
      return deployed;
    });
    const { v4, v6 } = service.address;

    await step('reach the instance from the board', board, async ({ $, expect }) => {
      expect.match(
        'the bridge has the gateway address',
        (await $`ip -brief address show goProxyBridge`).stdout,
        /10\.10\.0\.1\//,
      );
      expect.match('ping', (await $`ping -c 1 -W 10 ${v4}`).stdout, / 0% packet loss/);
      expect.match('ping over IPv6', (await $`ping -c 1 -W 10 ${v6}`).stdout, / 0% packet loss/);
    });
    await step('reach the board from the instance', service.instance, async ({ $, expect }) => {
      expect.match('ping', (await $`ping -c 1 -W 10 10.10.0.1`).stdout, / 0% packet loss/);
    });

    const expected = await step('HTTP from the board', board, async ({ get, expect }) => {
      const answer = await get(`http://${v4}/`);
      firstAnswer(answer);
      expect.equal('status', answer.status, 200);
      if (app.body !== undefined) expect.equal('body', answer.body, app.body);
      return { status: 200, body: answer.body };
    });
    await step('HTTP from the instance', service.instance, async ({ get, expect }) => {
      const { status, body } = await get('http://127.0.0.1/');
      expect.equal('status and body', { status, body }, expected);
    });
    const url = await step('HTTP from the lab through the port mapping', lab, async ({ get, expect }) => {
      const endpoint = await forward(8080);
      const mapped = `http://${endpoint.host}:${endpoint.port}/`;
      const { status, body } = await get(mapped);
      expect.equal('status and body', { status, body }, expected);
      return mapped;
    });

    await step('load from the lab', lab, () => load('mapped', url, expected, { service }));

    await step('undeploy', lab, () => undeploy(service));
    await step('the board is as it was', board, async ({ expect }) => {
      expect.equal('what is left or missing', changes(before, await footprint()), []);
    });
  },
});
