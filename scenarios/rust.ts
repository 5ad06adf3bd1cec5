import { scenario } from '../lab/scenario/scenario.ts';
import { fixtureApp } from '../lab/wasm/app.ts';

export default scenario({
  description: 'Does a service that cargo built for wasm32-wasip2 run as it is, as most people will build theirs?',
  requires: ['bridge', 'nft', 'serve', 'port-forward'],
  ownApps: true,
  network: { topology: 'bridged', subnet: '10.10.0.0', subnet6: 'fd00:10::' },

  async run({ step, board, lab, deploy, undeploy, forward, load, precompile, firstAnswer }) {
    const app = await fixtureApp('rust-wasi-http');
    await step('compile ahead of time', lab, () => precompile(app));
    const service = await step('deploy through the worker', lab, () => deploy({ app, port: '8080:80' }));
    await step('HTTP from the board', board, async ({ get, expect }) => {
      const answer = await get(`http://${service.address.v4}/a/path?and=query`);
      firstAnswer(answer);
      expect.equal('status', answer.status, 200);
      expect.equal('body', answer.body, 'Hello from Rust: /a/path?and=query\n');
    });
    await step('load from the lab', lab, async () => {
      const { host, port } = await forward(8080);
      await load('mapped', `http://${host}:${port}/`, { status: 200, body: 'Hello from Rust: /\n' }, { service });
    });
    await step('undeploy', lab, () => undeploy(service));
  },
});
