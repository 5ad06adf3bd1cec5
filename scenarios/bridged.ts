import { scenario } from '../lab/scenario/scenario.ts';
import { expectAnswer, expectFirst } from '../lab/scenario/targets/answer.ts';

export default scenario({
  description:
    'Does a service deployed by the worker into a bridged namespace answer, inside and out, and leave nothing behind?',
  requires: ['bridge', 'nft', 'serve', 'port-forward'],
  network: { topology: 'bridged', subnet: '10.10.0.0', subnet6: 'fd00:10::' },

  async run({ step, board, lab, expectedAnswer, deploy, undeploy, forward, load, snapshot, changes, firstAnswer }) {
    const before = await step("record the board's state", board, snapshot);

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
      const answer = await get(`http://${v4}${expectedAnswer.path}`);
      firstAnswer(answer);
      return expectFirst(expect, answer, expectedAnswer);
    });
    await step('HTTP from the instance', service.instance, async ({ get, expect }) => {
      expectAnswer(expect, await get(`http://127.0.0.1${expectedAnswer.path}`), expected);
    });
    const url = await step('HTTP from the lab through the port mapping', lab, async ({ get, expect }) => {
      const endpoint = await forward(8080);
      const mapped = `http://${endpoint.host}:${endpoint.port}${expectedAnswer.path}`;
      expectAnswer(expect, await get(mapped), expected);
      return mapped;
    });

    await step('load from the lab', lab, () => load('mapped', url, expected, { service }));

    await step('undeploy', lab, () => undeploy(service));
    await step("compare the board's state", board, async ({ expect }) => {
      expect.equal('differences from the recorded state', await changes(before), []);
    });
  },
});
