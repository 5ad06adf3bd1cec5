import { scenario } from '../lab/scenario/scenario.ts';
import { deadline, until } from '../lab/system/wait.ts';
import { fixtureApp } from '../lab/wasm/app.ts';

const port = 7000;
const answerMs = 30_000;

/** Sends `text` over TCP or UDP and prints what comes back; for Node, which every board has. */
const client = `
const [kind, host, port, text] = process.argv.slice(1);
const fail = (why) => { console.error(String(why)); process.exit(1); };
setTimeout(fail, 5000, 'no answer').unref();
if (kind === 'udp') {
  const socket = require('node:dgram').createSocket('udp4').on('error', fail);
  socket.on('message', (answer) => { console.log(String(answer)); process.exit(); });
  socket.send(text, Number(port), host);
} else {
  const socket = require('node:net').connect(Number(port), host).on('error', fail);
  socket.once('data', (answer) => { console.log(String(answer)); process.exit(); });
  socket.write(text);
}
`;

export default scenario({
  description: 'Does a component with sockets of its own speak TCP and UDP, on the bridge and through mapped ports?',
  requires: ['bridge', 'nft', 'port-forward'],
  ownApps: true,
  network: { topology: 'bridged', subnet: '10.10.0.0', subnet6: 'fd00:10::' },

  async run({ step, board, lab, machine, deploy, undeploy, forward }) {
    const app = await fixtureApp('sockets');
    const service = await step('deploy a component that echoes', lab, () =>
      deploy({ app, cmd: [String(port)], port: `${port}/tcp;${port}/udp` }),
    );
    await step('it listens', board, async ({ $, signal }) => {
      const ask = () => $({ nothrow: true })`node -e ${client} tcp ${service.address.v4} ${port} ready`;
      const ends = deadline(answerMs * machine.timeoutFactor, 'an answer', signal);
      await until(async () => ((await ask()).stdout.trim() === 'ready' ? true : undefined), ends);
    });
    const targets = [
      ['the instance', service.address.v4],
      ["the board's mapped port", machine.uplink.board],
      ["the board's mapped port on localhost", '127.0.0.1'],
    ] as const;
    for (const [what, address] of targets)
      await step(`TCP and UDP from the board to ${what}`, board, async ({ $, expect }) => {
        for (const kind of ['tcp', 'udp']) {
          const { stdout } = await $`node -e ${client} ${kind} ${address} ${port} ${`hello over ${kind}`}`;
          expect.equal(kind, stdout.trim(), `hello over ${kind}`);
        }
      });
    await step('TCP from the lab through the port mapping', lab, async ({ $, expect }) => {
      const end = await forward(port);
      const { stdout } = await $`${process.execPath} -e ${client} tcp ${end.host} ${end.port} ${'hello from the lab'}`;
      expect.equal('answer', stdout.trim(), 'hello from the lab');
    });
    await step('undeploy', lab, () => undeploy(service));
  },
});
