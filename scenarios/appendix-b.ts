import { examine, explainOutput } from '../lab/machine/troubles.ts';
import { scenario } from '../lab/scenario/scenario.ts';
import { expectAnswer, expectFirst } from '../lab/scenario/targets/answer.ts';
import { deadline, until } from '../lab/system/wait.ts';

const component = '/root/hello-wasi-http.wasm';
const serveMs = 20_000;

export default scenario({
  description:
    "Do the commands of the project report's Appendix B work as they stand, and are its known troubles recognised?",
  requires: ['veth', 'bridge', 'nft', 'serve'],
  // out of the way of the addresses that are typed here
  network: { topology: 'bridged', subnet: '10.18.0.0', subnet6: 'fd00:18::' },
  claims: {
    networks: ['10.0.0.0/24', '10.10.0.0/24'],
    names: ['mytestns', 'veth-host', 'veth-br', 'veth-ns', 'br0'],
  },

  async run({ step, board, app, expectedAnswer, machine, snapshot, changes, firstAnswer }) {
    const doctor = () => examine((argv) => machine.exec(argv));
    // an address alone stands for the path /, as the report types it
    const path = expectedAnswer.path === '/' ? '' : expectedAnswer.path;
    const before = await step("record the board's state", board, async ({ $ }) => {
      await machine.writeFile(component, app.bytes);
      await $`mkdir -p /root/.cache`;
      return snapshot();
    });

    await step('approach 1: a namespace on a veth pair', board, async ({ $, expect }) => {
      await $`ip netns add mytestns`;
      await $`ip link add veth-host type veth peer name veth-ns`;
      await $`ip link set veth-ns netns mytestns`;
      await $`ip addr add 10.0.0.1/24 dev veth-host`;
      await $`ip link set veth-host up`;
      await $`ip netns exec mytestns ip addr add 10.0.0.2/24 dev veth-ns`;
      await $`ip netns exec mytestns ip link set veth-ns up`;
      await $`ip netns exec mytestns ip link set lo up`;
      await $`ip netns exec mytestns ip route add default via 10.0.0.1`;
      await $`sysctl -w net.ipv4.ip_forward=1`;
      await $`nft ${'add table ip appendixb'}`;
      await $`nft ${'add chain ip appendixb post { type nat hook postrouting priority srcnat ; }'}`;
      await $`nft ${'add rule ip appendixb post ip saddr 10.0.0.0/24 masquerade'}`;
      expect.match('ping', (await $`ping -c 1 -W 5 10.0.0.2`).stdout, / 0% packet loss/);
    });
    await step('approach 1: serve and ask from both sides', board, async ({ $, get, signal, expect }) => {
      await $`ip netns exec mytestns wasmtime serve --addr 0.0.0.0:80 ${component} >/tmp/serve.log 2>&1 &`;
      const answers = async () => (await $({ nothrow: true })`curl -s http://10.0.0.2:80/`).exitCode === 0 || undefined;
      await until(answers, deadline(serveMs * machine.timeoutFactor, 'an answer', signal));
      const outside = await get(`http://10.0.0.2:80${expectedAnswer.path}`);
      firstAnswer(outside);
      const expected = expectFirst(expect, outside, expectedAnswer);
      const inside = (await $`ip netns exec mytestns curl -s localhost:80${path} | base64`).stdout;
      const bytes = Buffer.from(inside, 'base64');
      expectAnswer(expect, { ...outside, bytes, body: bytes.toString('utf8') }, expected);
    });
    await step('trouble: a step is repeated', board, async ({ $, expect }) => {
      const again = await $({ nothrow: true })`ip link add veth-host type veth peer name veth-ns`;
      expect.match('what ip says', again.stderr, /File exists/);
      expect.ok('the message is recognised', explainOutput(again.stderr) !== undefined, again.stderr);
      const found = (await doctor()).find(({ name: what }) => what.includes('File exists'));
      expect.ok('it is found on the board', found !== undefined, 'nothing found');
      await $`pkill -x wasmtime`;
      for (const command of found?.remedy ?? []) await $`sh -c ${command}`;
      await $`nft delete table ip appendixb`;
      const remedied = await $({ nothrow: true })`ip link add veth-host type veth peer name veth-ns`;
      expect.equal('after the remedy the step works', remedied.exitCode, 0);
      await $`ip link delete veth-host`;
    });

    await step('approach 2: clean up, then a bridge', board, async ({ $, expect }) => {
      await $`ip netns delete mytestns 2>/dev/null || true`;
      await $`ip link delete veth-br 2>/dev/null || true`;
      await $`ip link delete br0 2>/dev/null || true`;
      await $`ip netns add mytestns`;
      await $`ip link add veth-br type veth peer name veth-ns`;
      await $`ip link set veth-ns netns mytestns`;
      await $`ip link add name br0 type bridge`;
      await $`ip link set br0 up`;
      await $`ip link set veth-br master br0`;
      await $`ip link set veth-br up`;
      await $`ip addr add 10.10.0.1/24 dev br0`;
      await $`ip netns exec mytestns ip addr add 10.10.0.2/24 dev veth-ns`;
      await $`ip netns exec mytestns ip link set veth-ns up`;
      await $`ip netns exec mytestns ip link set lo up`;
      expect.match('ping the instance', (await $`ping -c 1 -W 5 10.10.0.2`).stdout, / 0% packet loss/);
      const back = (await $`ip netns exec mytestns ping -c 1 -W 5 10.10.0.1`).stdout;
      expect.match('ping the board', back, / 0% packet loss/);
    });
    await step('trouble: the old flag', board, async ({ $, expect }) => {
      const quiet = $({ nothrow: true });
      const old =
        await quiet`ip netns exec mytestns wasmtime serve -tcplisten 0.0.0.0:80 ${component} >/tmp/serve.log 2>&1`;
      expect.ok('wasmtime refuses it', old.exitCode !== 0);
      const found = (await doctor()).find(({ name: what }) => what.includes('-tcplisten'));
      expect.match('it is found in the log, with the remedy', found?.remedy.join() ?? 'not found', /serve --addr/);
    });
    await step('approach 2: serve and ask', board, async ({ $, get, signal, expect }) => {
      await $`ip netns exec mytestns wasmtime serve --addr 0.0.0.0:80 ${component} >/tmp/serve.log 2>&1 &`;
      const answers = async () =>
        (await $({ nothrow: true })`curl -s http://10.10.0.2:80/`).exitCode === 0 || undefined;
      await until(answers, deadline(serveMs * machine.timeoutFactor, 'an answer', signal));
      expect.equal('status', (await get(`http://10.10.0.2:80${expectedAnswer.path}`)).status, expectedAnswer.status);
      const still = (await doctor()).filter(({ name: what }) => what.includes('-tcplisten'));
      expect.equal('nothing is left of the trouble', still, []);
    });
    await step('trouble: both networks on one interface', board, async ({ $, get, expect }) => {
      await $`ip addr add 10.0.0.1/24 dev veth-br`;
      await $`ip netns exec mytestns ip addr add 10.0.0.2/24 dev veth-ns`;
      const lost = await $({ nothrow: true })`ping -c 1 -W 5 10.0.0.2`;
      expect.ok('the message is recognised', explainOutput(lost.stdout + lost.stderr) !== undefined, lost.stdout);
      const found = (await doctor()).find(({ name: what }) => what.includes('No route to host'));
      expect.ok('it is found on the board', found !== undefined, 'nothing found');
      for (const command of found?.remedy ?? []) await $`sh -c ${command}`;
      const again = await get(`http://10.10.0.2:80${expectedAnswer.path}`);
      expect.equal('status on the other network', again.status, expectedAnswer.status);
    });

    await step('clean up', board, async ({ $ }) => {
      await $`pkill -x wasmtime`;
      for (const { remedy } of await doctor()) for (const command of remedy) await $`sh -c ${command}`;
      await $`rm -rf /tmp/serve.log /root/.cache/wasmtime`;
    });
    await step("compare the board's state", board, async ({ expect }) => {
      expect.equal('differences from the recorded state', await changes(before), []);
    });
  },
});
