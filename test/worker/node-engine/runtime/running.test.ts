import fc from 'fast-check';
import t from 'tap';
import { Groups } from '../../../../worker/node-engine/process/limits.ts';
import { ownLimits } from '../../../../worker/node-engine/process/own-limits.ts';
import { checkJob } from '../../../../worker/node-engine/runtime/job.ts';
import { defaultServing, servingOf } from '../../../../worker/node-engine/runtime/serving.ts';
import { planRun } from '../../../../worker/node-engine/runtime/wasmtime/command.ts';
import { threadsOf } from '../../../../worker/node-engine/runtime/wasmtime/options.ts';
import { wasmtimeRuntime } from '../../../../worker/node-engine/runtime/wasmtime/runtime.ts';
import { inputs } from '../../../support/inputs.ts';
import { job } from '../support/jobs.ts';

const seeded = inputs(20_260_802, 3000);
const host = {
  serving: defaultServing,
  processors: 4,
  ipv6: true,
  runtime: { version: '48.0.2', lacks: new Set<never>() },
} as const;

t.test('words of a job stay whole arguments, whatever they hold', async () => {
  const info = { kind: 'component', exports: ['wasi:cli/run@0.2.0'], imports: [], needs: [] } as const;
  const word = fc.string().filter((text) => !text.includes('\0'));
  const entry = fc
    .tuple(
      word.filter((key) => key !== '' && !key.includes('=')),
      word,
    )
    .map((pair) => pair.join('='));
  fc.assert(
    fc.property(fc.array(word), fc.array(entry), (cmd, environment) => {
      const request = { ...job('/x.wasm'), cmd, environment };
      checkJob(request);
      const plan = planRun(request, info, host);
      const options = plan.before.flatMap((one) => (one.startsWith('--env=') ? [one.slice('--env='.length)] : []));
      const given = options.map((one) => (one.includes('=') ? one : `${one}=${plan.environment[one]}`));
      const last = new Map(environment.map((one) => [one.slice(0, one.indexOf('=')), one]));
      return JSON.stringify([plan.after, given]) === JSON.stringify([cmd, [...last.values()]]);
    }),
    seeded,
  );
});

t.test('no variable of a job is obeyed by the programs that start it', async (t) => {
  const info = { kind: 'component', exports: ['wasi:cli/run@0.2.0'], imports: [], needs: [] } as const;
  const obeyed = ['LD_PRELOAD', 'PATH', 'GLIBC_TUNABLES', 'GCONV_PATH', 'MALLOC_ARENA_MAX', 'TOKIO_WORKER_THREADS'];
  const more = ['RUST_LOG', 'OAKESTRA_INSTANCE', 'WASMTIME_LOG', 'BASH_ENV', 'BASH_FUNC_echo%%', 'IFS', 'a.b'];
  const environment = [...obeyed, ...more, 'TOKEN', '__proto__'].map((name) => `${name}=1`);
  const plan = planRun({ ...job('/x.wasm'), vcpus: 0, environment }, info, host);
  t.same(Object.entries(plan.environment), [
    ['TOKEN', '1'],
    ['__proto__', '1'],
    ['TOKIO_WORKER_THREADS', '4'],
  ]);
});

t.test('a service listens on the first TCP mapping, on both families where there are both', async (t) => {
  const info = { kind: 'component', exports: ['wasi:http/incoming-handler@0.2.0'], imports: [], needs: [] } as const;
  const address = (port: string, ipv6: boolean) =>
    planRun({ ...job('/x'), port }, info, { ...host, ipv6 }).before.at(-1);
  t.equal(address('53/udp;8080:9000;81', true), '[::]:9000');
  t.equal(address('', true), '[::]:80');
  t.equal(address('7', false), '0.0.0.0:7');
  const plan = planRun({ ...job('/x'), cmd: ['a'], vcpus: 1.5 }, info, host);
  t.match(plan, { notes: [/cmd is not used/], environment: { TOKIO_WORKER_THREADS: '2' } });
  t.throws(() => checkJob({ ...job('/x'), environment: ['HOME'] }), /expected K=V/);
});

t.test('what a component exports instead is told in a few words', async (t) => {
  const info = {
    kind: 'module',
    exports: Array.from({ length: 20 }, () => 'x'.repeat(1000)),
    imports: [],
    needs: [],
  } as const;
  t.throws(() => planRun(job('/x'), info, host), { message: /^.{1,1200}, but not '_start'$/ });
});

t.test(
  'a request may take a minute and has an instance of its own, unless the node or the job says otherwise',
  async (t) => {
    const info = { kind: 'component', exports: ['wasi:http/incoming-handler@0.2.0'], imports: [], needs: [] } as const;
    const { serving, problems } = servingOf(['precompile', 'timeout=5', 'reuse=128', 'reuse=many', 7, null]);
    t.same(serving, { timeout: 5, reuse: 128 });
    t.match(problems, [/'reuse=many' is left out: expected a whole number/]);
    const later = { ...info, exports: ['wasi:http/handler@0.3.2'] } as const;
    t.ok(
      planRun(job('/x'), later, host).before.includes('--max-instance-reuse-count=1'),
      'wasmtime reuses instances of WASI 0.3 unless it is told not to',
    );
    const words = (node: typeof serving, ...environment: string[]) => {
      const { before } = planRun({ ...job('/x'), environment }, info, { ...host, serving: node });
      return before.filter((word) => /^(?:timeout|--max-instance-reuse-count)=|OAKESTRA/.test(word));
    };
    t.same(words(defaultServing), ['timeout=60']);
    t.same(words(serving), ['timeout=5', '--max-instance-reuse-count=128']);
    t.same(words(serving, 'OAKESTRA_REUSE=2', 'OAKESTRA_TIMEOUT=9'), ['timeout=9', '--max-instance-reuse-count=2']);
    t.same(words(defaultServing, 'OAKESTRA_TIMEOUT=0'), ['timeout=1000000000']);
    for (const entry of ['OAKESTRA_TIMEOUT=', 'OAKESTRA_TIMEOUT=-1', 'OAKESTRA_REUSE=1e9', 'OAKESTRA_REUSE=9999999'])
      t.match(planRun({ ...job('/x'), environment: [entry] }, info, host).notes, [
        /^OAKESTRA_\w+=\S* is left out: expected a whole number from 0 to /,
      ]);
  },
);

t.test('a component has two threads or more, and no more than the board has processors', async (t) => {
  t.same(
    [0, 0.5, 1, 2, 3, 64].map((vcpus) => threadsOf(vcpus, 4)),
    [4, 2, 2, 2, 3, 4],
  );
  t.equal(threadsOf(0, 1), 2);
  t.equal(threadsOf(8, 1), 2);
});

t.test('without control groups a process limits itself, and what does not hold is said', async (t) => {
  const info = { kind: 'component', exports: ['wasi:http/incoming-handler@0.2.0'], imports: [], needs: [] } as const;
  const request = { ...job('/x'), memory: 100, vcpus: 2 };
  const plan = planRun(request, info, host);
  const native = { file: '/x.cwasm', precompiled: true };
  const separate = { separate: true };
  const shared = { separate: false };
  const own = ownLimits(request, plan, native, undefined, separate, undefined);
  t.same(
    own.argv.slice(4),
    [String((100 + 2 * (2 + 4)) * 1024), '128'],
    'its memory, a stack for each thread, threads',
  );
  t.equal(own.confined, true);
  const runtime = wasmtimeRuntime({ path: 'wasmtime', version: '1.2.3', user: undefined, separate: false });
  t.match(runtime.argv(plan, native, true).join(' '), /^wasmtime serve .* -O pooling-allocator=n --allow-precompiled/);
  t.notMatch(runtime.argv(plan, native, false).join(' '), /pooling/);
  t.match(own.notes, [/may allocate 112 MB in all, its program code aside$/, /vcpus is the number of threads$/]);
  const portable = ownLimits(request, plan, { file: '/x.wasm', precompiled: false }, undefined, shared, undefined);
  t.match(portable, {
    argv: [],
    confined: false,
    notes: [/may have 100 MB, and nothing limits them together$/, /vcpus/],
  });
  const group = (...controllers: ('memory' | 'cpu' | 'pids')[]) => new Groups('/x', new Set(controllers));
  t.same(ownLimits(request, plan, native, group('memory', 'cpu', 'pids'), separate, undefined), {
    argv: [],
    confined: false,
    notes: [],
  });
  t.match(ownLimits(request, plan, native, group('cpu', 'pids'), separate, undefined).notes, [
    /no control groups for memory/,
  ]);
  const unlimited = { ...request, memory: 0, vcpus: 0 };
  t.same(ownLimits(unlimited, plan, native, undefined, shared, undefined), {
    argv: [],
    filter: undefined,
    confined: false,
    notes: [],
  });
});

t.test('only what wasmtime says of the native code itself is a refusal of it', async (t) => {
  const { refusesCode } = wasmtimeRuntime({ path: 'wasmtime', version: '1.2.3', user: undefined, separate: false });
  const native = { file: '/var/lib/oakestra/precompiled/ab.cwasm', precompiled: true };
  const refuses = (said: string) => refusesCode(`wasmtime exited with 1 before it answered: ${said}`, native);
  for (const said of [
    `Error: failed to load code for: ${native.file}\n\nCaused by:\n    Module was compiled with incompatible`,
    `Error: failed to parse \`${native.file}\`: input bytes aren't valid utf-8`,
    `Error: expected \`(\`\n     --> ${native.file}:1:1`,
  ])
    t.ok(refuses(said), said);
  for (const said of [
    'Error: failed to parse config.toml',
    'incompatible data',
    'Error: component imports instance `acme:foo/bar`, but a matching implementation was not found in the linker',
    `Error: failed to run main module \`${native.file}\``,
  ])
    t.notOk(refuses(said), said);
});
