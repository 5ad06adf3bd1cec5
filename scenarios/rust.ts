import { scenario } from '../lab/scenario/scenario.ts';
import { fixtureApp } from '../lab/wasm/app.ts';

/** Services as cargo builds them, with how their answers begin and what their loads are called. */
const services = [
  { name: 'rust-wasi-http', says: 'Hello from Rust: ', loaded: 'mapped' },
  { name: 'p3-wasi-http', says: 'Hello from WASI 0.3: ', loaded: 'mapped, WASI 0.3' },
] as const;

export default scenario({
  description: 'Does a service that cargo built for wasm32-wasip2 run as it is, as most people will build theirs?',
  requires: ['bridge', 'nft', 'serve', 'port-forward'],
  ownApps: true,
  network: { topology: 'bridged', subnet: '10.10.0.0', subnet6: 'fd00:10::' },

  async run({ step, board, lab, deploy, undeploy, forward, load, precompile, firstAnswer }) {
    for (const { name, says, loaded } of services) {
      const app = await fixtureApp(name);
      await step(`compile ${name} ahead of time`, lab, () => precompile(app));
      const service = await step(`deploy ${name} through the worker`, lab, () => deploy({ app, port: '8080:80' }));
      await step(`HTTP from the board to ${name}`, board, async ({ get, expect }) => {
        const answer = await get(`http://${service.address.v4}/a/path?and=query`);
        firstAnswer(answer);
        expect.equal('status', answer.status, 200);
        expect.equal('body', answer.body, `${says}/a/path?and=query\n`);
      });
      await step(`load from the lab to ${name}`, lab, async () => {
        const { host, port } = await forward(8080);
        await load(loaded, `http://${host}:${port}/`, { status: 200, body: `${says}/\n` }, { service });
      });
      await step(`undeploy ${name}`, lab, () => undeploy(service));
    }
  },
});
