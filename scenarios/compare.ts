import type { Metric } from '../lab/report/model/results.ts';
import { type Figure, type Service, scenario } from '../lab/scenario/scenario.ts';
import { answersLike } from '../lab/scenario/targets/answer.ts';
import type { ExecTarget } from '../lab/scenario/targets/targets.ts';
import { deadline, until } from '../lab/system/wait.ts';

const rounds = 5;
const loadShare = 10;
/** Loads shorter than this show only that everything works. */
const minSeconds = 5;
const nativeMs = 20_000;
const nativeText = 'Hello, native world!\n';
/** How many requests an instance answers where instances are reused; the service beside it has one for each. */
const reuse = 'OAKESTRA_REUSE=128';

/** A plain HTTP server, for the same namespace as the service: what is left when WebAssembly is taken away. */
const native = `require('node:http').createServer((_, response) => response.end(${JSON.stringify(nativeText)})).listen(81)`;

const shuffled = <T>(items: readonly T[]): readonly T[] =>
  items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);

/** What one load took: how the service was reached, what served, and its CPU time a request in microseconds. */
type Spent = { readonly way: string; readonly kind: 'wasm' | 'wasm reused' | 'native'; readonly cpu: number };

/**
 * CPU time a request against that on loopback, and of the Wasm service against the native one, of what was measured in
 * one deployment: whatever else this computer does changes from minute to minute and touches both sides alike.
 */
const ratiosOf = (spent: readonly Spent[]): readonly Figure[] => {
  const of = (way: string, kind: string) => spent.find((one) => one.way === way && one.kind === kind)?.cpu ?? 0;
  const ratio = { unit: 'x', kind: 'performance', where: 'board' } as const;
  const figure = (name: string, dimensions: Metric['dimensions'], cpu: number, base: number): readonly Figure[] =>
    base > 0 ? [{ name, ...ratio, dimensions, samples: [cpu / base] }] : [];
  return spent.flatMap(({ way, kind, cpu }) => [
    ...(way === 'loopback' ? [] : figure('load.cpu.ratio', { load: `${way}, ${kind}` }, cpu, of('loopback', kind))),
    ...(kind === 'native' ? [] : figure(`CPU of ${kind} against native`, { way }, cpu, of(way, 'native'))),
  ]);
};

export default scenario({
  description: 'What does WebAssembly cost a request, and what does the network: loopback, veth, bridge, mapped port?',
  requires: ['veth', 'bridge', 'nft', 'serve', 'port-forward'],
  network: { topology: 'bridged', subnet: '10.10.0.0', subnet6: 'fd00:10::' },
  seconds: 600,

  async run({ step, board, lab, machine, options, expectedAnswer, deploy, undeploy, configure, load, record, note }) {
    const measured = machine.capabilities.has('performance') && options.duration >= minSeconds;
    const seconds = options.duration / loadShare;
    note("The native server is Node's own HTTP server, one thread; the service is wasmtime, with as many as it likes.");

    const waysTo = (service: Service, topology: string): readonly (readonly [string, ExecTarget, string, number])[] => [
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
        const reused = await step(`${round}: deploy with reuse of instances, ${topology}`, lab, () =>
          deploy({ instance: 1, environment: [reuse] }),
        );
        const server = await step(
          `${round}: a native server beside it, ${topology}`,
          service.instance,
          async ({ $, get, signal }) => {
            const pid = (await $`setsid node -e ${native} >/dev/null 2>&1 & echo $!`).stdout.trim();
            const answers = () =>
              get('http://127.0.0.1:81/').then(
                ({ status }) => status === 200 || undefined,
                () => undefined,
              );
            await until(answers, deadline(nativeMs * machine.timeoutFactor, 'the native server', signal));
            return pid;
          },
        );
        const expected = await step(`${round}: its first answer, ${topology}`, board, async ({ get }) =>
          answersLike(expectedAnswer, await get(`http://${service.address.v4}${expectedAnswer.path}`)),
        );
        const wasm = { inner: 80, path: expectedAnswer.path, answers: expected };
        const cells = [
          ...waysTo(service, topology).flatMap((way) => [
            { way, kind: 'wasm' as const, of: service, ...wasm },
            {
              way,
              kind: 'native' as const,
              of: service,
              inner: 81,
              path: '/',
              answers: { status: 200, body: nativeText },
            },
          ]),
          ...waysTo(reused, topology)
            .slice(0, 1)
            .map((way) => ({ way, kind: 'wasm reused' as const, of: reused, ...wasm })),
        ];
        const spent = await step(`${round}: load, ${topology}`, board, async () => {
          const took: Spent[] = [];
          for (const { way, kind, of, inner, path, answers } of shuffled(cells)) {
            const [name, from, host, mapped] = way;
            const url = `http://${host}:${mapped + inner}${path}`;
            const result = await load(`${name}, ${kind}`, url, answers, { from, service: of, seconds });
            if (result.cpu !== undefined) took.push({ way: name, kind, cpu: result.cpu });
          }
          return took;
        });
        for (const figure of ratiosOf(spent)) record(figure);
        await step(`${round}: undeploy, ${topology}`, board, async ({ $ }) => {
          await $`kill ${server}`;
          await undeploy(reused);
          await undeploy(service);
        });
      }
  },
});
