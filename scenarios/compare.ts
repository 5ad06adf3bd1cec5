import { faults } from '../lab/load/load.ts';
import type { Where } from '../lab/scenario/places.ts';
import { type Service, scenario } from '../lab/scenario/scenario.ts';
import { deadline, until } from '../lab/system/wait.ts';

const rounds = 3;
const loadShare = 10;
/** Loads shorter than this show only that everything works. */
const leastSeconds = 5;
const nativeMs = 20_000;
const nativeText = 'Hello, native world!\n';

/** A plain HTTP server, for the same namespace as the service: what is left when WebAssembly is taken away. */
const native = `require('node:http').createServer((_, response) => response.end(${JSON.stringify(nativeText)})).listen(81)`;

const shuffled = <T>(items: readonly T[]): readonly T[] =>
  items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);

export default scenario({
  about: 'What does WebAssembly cost a request, and what does the network: loopback, veth, bridge, mapped port?',
  needs: ['veth', 'bridge', 'nft', 'serve', 'port-forward'],
  network: { topology: 'bridged', subnet: '10.10.0.0', subnet6: 'fd00:10::' },
  seconds: 600,

  async run({ step, board, lab, machine, options, app, deploy, undeploy, configure, load, note }) {
    const measured = machine.capabilities.has('performance') && options.duration >= leastSeconds;
    const seconds = options.duration / loadShare;
    note("The native server is Node's own HTTP server, one thread; the service is wasmtime, with as many as it likes.");

    const waysTo = (service: Service, topology: string): readonly (readonly [string, Where, string, number])[] => [
      ['loopback', service.instance, '127.0.0.1', 0],
      [topology, board, service.address.v4, 0],
      [`${topology}, mapped port`, board, machine.uplink.board, 8000],
    ];
    for (let round = 1; round <= (measured ? rounds : 1); round++)
      for (const topology of shuffled(['bridged', 'veth'] as const)) {
        const service = await step(`${round}: deploy, ${topology}`, lab, async () => {
          await configure({ topology });
          return deploy({ port: '8080:80;8081:81' });
        });
        const server = await step(
          `${round}: a native server beside it`,
          service.instance,
          async ({ $, get, signal }) => {
            const pid = (await $`setsid node -e ${native} >/dev/null 2>&1 & echo $!`).stdout.trim();
            const answers = () =>
              get('http://127.0.0.1:81/').then(
                ({ status }) => status === 200 || undefined,
                () => undefined,
              );
            await until(answers, deadline(nativeMs * machine.slowness, 'the native server', signal));
            return pid;
          },
        );
        const cells = waysTo(service, topology).flatMap((way) => [
          { way, kind: 'wasm', inner: 80, body: app.body ?? '' },
          { way, kind: 'native', inner: 81, body: nativeText },
        ]);
        await step(`${round}: load, ${topology}`, board, async ({ expect }) => {
          for (const { way, kind, inner, body } of shuffled(cells)) {
            const [name, from, host, mapped] = way;
            const url = `http://${host}:${mapped + inner}/`;
            const result = await load(`${name}, ${kind}`, url, { status: 200, body }, { from, service, seconds });
            expect.equal(`${name}, ${kind}: wrong answers, errors and timeouts`, faults(result), 0);
            expect.ok(`${name}, ${kind}: requests were answered`, result.responses > 0);
          }
        });
        await step(`${round}: undeploy, ${topology}`, board, async ({ $ }) => {
          await $`kill ${server}`;
          await undeploy(service);
        });
      }
  },
});
