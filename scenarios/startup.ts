import { scenario } from '../lab/scenario/scenario.ts';

const rounds = 5;

export default scenario({
  description:
    'How long does it take from the deploy message to the first answer: as .wasm, precompiled, and with a cold cache?',
  requires: ['bridge', 'nft', 'serve'],
  network: { topology: 'bridged', subnet: '10.10.0.0', subnet6: 'fd00:10::' },

  async run({ step, board, machine, deploy, undeploy, precompile, app, expectedAnswer, record }) {
    const count = machine.capabilities.has('performance') ? rounds : 1;
    const ways = [
      { name: '.wasm, cold cache', native: false, cold: true },
      { name: '.wasm, warm cache', native: false, cold: false },
      { name: 'precompiled, cold cache', native: true, cold: true },
      { name: 'precompiled, warm cache', native: true, cold: false },
    ];
    for (const { name, native, cold } of ways) {
      const samples = await step(name, board, async ({ $, get, expect }) => {
        if (native) await precompile(app);
        const took: number[] = [];
        for (let round = 0; round < count; round++) {
          // The board compiles a component before its first instance starts, and keeps the result.
          if (!native) await $`rm -rf /var/lib/oakestra/precompiled`;
          if (cold) await $`rm -rf /var/cache/oakestra/*`;
          const began = performance.now();
          const service = await deploy();
          const { status } = await get(`http://${service.address.v4}${expectedAnswer.path}`);
          took.push(performance.now() - began);
          expect.equal('status', status, expectedAnswer.status);
          const command = (await $`ps -e -o args=`).stdout;
          expect.equal('it runs native code', /wasmtime serve .*--allow-precompiled/.test(command), true);
          await undeploy(service);
        }
        return took;
      });
      record({ name: 'startup', unit: 'ms', kind: 'performance', where: 'board', dimensions: { way: name }, samples });
    }
  },
});
