import type { Deployment } from '../lab/cluster/deployment.ts';
import { scenario } from '../lab/scenario/scenario.ts';
import type { Shell } from '../lab/scenario/targets/shell.ts';
import { deadline, until } from '../lab/system/wait.ts';
import { fixtureApp } from '../lab/wasm/app.ts';

const waitMs = 60_000;

export default scenario({
  description:
    'What does the cluster see, and what is left, when a service or any part of the worker ends, crashes or restarts?',
  requires: ['bridge', 'nft', 'serve', 'port-forward'],
  network: { topology: 'bridged', subnet: '10.10.0.0', subnet6: 'fd00:10::' },
  seconds: 240,

  async run({ step, board, lab, machine, cluster, expectedAnswer, deploy, undeploy, send, snapshot, changes, note }) {
    const within = (what: string, signal: AbortSignal) => deadline(waitMs * machine.timeoutFactor, what, signal);
    const before = await step("record the board's state", board, snapshot);
    const saw = ({ task, statuses }: Deployment) => note(`the cluster saw of ${task}: ${statuses.join(', ')}`);
    await step('one that ends by itself is completed', lab, async ({ signal, expect }) => {
      // it echoes what clients send, and has nothing to do when it is not told where
      const once = send({ app: await fixtureApp('sockets'), oneShot: true, instance: 2 });
      const { status } = await once.status('COMPLETED', within('its end', signal));
      expect.equal('status', status, 'COMPLETED');
      await once.undeploy(within('undeployment', signal));
      saw(once);
    });

    const first = await step('deploy', lab, () => deploy());
    const url = `http://${first.address.v4}${expectedAnswer.path}`;

    await step('kill the service: the cluster is told', board, async ({ $, signal, expect }) => {
      await $`pkill -KILL -x wasmtime`;
      const { status } = await first.deployment
        .status('DEAD', within('status DEAD', signal))
        .catch(() => ({ status: '' }));
      expect.equal('status', status, 'DEAD');
    });
    await step('delete it and deploy it again, as a cluster does', lab, async () => {
      await undeploy(first);
      saw(first.deployment);
    });
    const second = await step('the new one has its address again', lab, async ({ expect }) => {
      const deployed = await deploy();
      expect.equal('address', deployed.address.v4, first.address.v4);
      return deployed;
    });

    // an engine that has just started asks a wasmtime of its own for its version, outside of the namespace; the net
    // manager looks into that with other programs
    const servedBy = async ($: Shell) => {
      const script = 'for pid in $(pgrep -x wasmtime); do ip netns pids "$1" | grep -x "$pid"; done; true';
      return (await $`sh -c ${script} sh ${second.deployment.task}`).stdout.trim();
    };

    for (const daemon of ['NetManager', 'NodeEngine'] as const) {
      // in brackets, so that it does not match the command line that it stands in
      const bundle = daemon === 'NetManager' ? 'net-manager[.]cjs' : 'node-engine[.]cjs';
      await step(`kill ${daemon}: it comes back and the service goes on`, board, async ({ $, get, signal, expect }) => {
        const pid = (await $`pgrep -o -f ${bundle}`).stdout.trim();
        const service = await servedBy($);
        await $`kill -KILL ${pid}`;
        expect.equal('status meanwhile', (await get(url)).status, expectedAnswer.status);
        const revived = await until(
          async () => {
            const now = (await $({ nothrow: true })`pgrep -o -f ${bundle}`).stdout.trim();
            return now !== '' && now !== pid ? now : undefined;
          },
          within(daemon, signal),
        );
        expect.ok('another process took over', revived !== pid);
        expect.equal('the service is the same process', await servedBy($), service);
        expect.equal('status afterwards', (await get(url)).status, expectedAnswer.status);
      });
    }

    await step('restart the whole worker: the service goes on', board, async ({ $, get, signal, expect }) => {
      const service = await servedBy($);
      await $`/etc/init.d/S99nodeengine restart`;
      await $`/etc/init.d/S98netmanager restart`;
      await cluster.networkReady(within('the worker', signal));
      expect.equal('the service is the same process', await servedBy($), service);
      expect.equal('status', (await get(url)).status, expectedAnswer.status);
    });

    await step('restart the broker: both halves connect again', lab, async ({ signal, expect }) => {
      await cluster.stopBroker();
      await cluster.startBroker();
      await cluster.networkReady(within('the worker', signal));
      const another = await deploy({ instance: 1, port: '8081:80' });
      expect.ok('a deployment reaches the worker', another.address.v4 !== second.address.v4);
      await undeploy(another);
    });

    await step('undeploy', lab, async () => {
      await undeploy(second);
      saw(second.deployment);
    });
    await step("compare the board's state", board, async ({ expect }) => {
      expect.equal('differences from the recorded state', await changes(before), []);
    });
  },
});
