import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { installFilter } from '../../../../worker/node-engine/process/filter.ts';
import { calls, systemCallFilter } from '../../../../worker/node-engine/process/seccomp.ts';
import { CommandFailed, run } from '../../../../worker/system/run.ts';
import { dropPrivileges } from '../../../../worker/system/users.ts';
import { removeFolder } from '../../../support/files/remove.ts';
import { inputs } from '../../../support/inputs.ts';
import { noWasmtime, wasmtime } from '../support/daemon.ts';

type Call = { readonly number: number; readonly audit: number; readonly argument: number };

/** What the kernel does with a call: it runs classic BPF on the call's data (linux/seccomp.h, linux/bpf_common.h). */
const answer = (filter: Buffer, { number, audit, argument }: Call): number => {
  const data: Readonly<Record<number, number>> = { 0: number, 4: audit, 16: argument };
  let loaded = 0;
  for (let at = 0; at < filter.length / 8; at += 1) {
    const [code, value] = [filter.readUInt16LE(at * 8), filter.readUInt32LE(at * 8 + 4)];
    if (code === 0x06) return value;
    if (code === 0x20) loaded = data[value] ?? Number.NaN;
    else {
      const tests: Readonly<Record<number, boolean>> = {
        21: loaded === value,
        53: loaded >= value,
        69: (loaded & value) !== 0,
      };
      at += filter.readUInt8(at * 8 + (tests[code] ? 2 : 3));
    }
  }
  return Number.NaN;
};

const [allow, refuse, notThere, noFamily, kill] = [0x7fff0000, 0x50001, 0x50026, 0x50061, 0x80000000];

/** Some of what no instance needs, by its number on each processor. */
const forbidden = {
  ptrace: { x64: 101, arm64: 117 },
  process_vm_writev: { x64: 311, arm64: 271 },
  mount: { x64: 165, arm64: 40 },
  pivot_root: { x64: 155, arm64: 41 },
  unshare: { x64: 272, arm64: 97 },
  setns: { x64: 308, arm64: 268 },
  init_module: { x64: 175, arm64: 105 },
  kexec_load: { x64: 246, arm64: 104 },
  bpf: { x64: 321, arm64: 280 },
  perf_event_open: { x64: 298, arm64: 241 },
  keyctl: { x64: 250, arm64: 219 },
  open_by_handle_at: { x64: 304, arm64: 265 },
  io_uring_setup: { x64: 425, arm64: 425 },
} as const;

t.test('calls that no instance needs fail, and all others are as they were', async (t) => {
  for (const architecture of ['x64', 'arm64'] as const) {
    const filter = systemCallFilter(architecture) ?? Buffer.alloc(0);
    const { audit, clone, clone3, socket, refused } = calls[architecture];
    const of = (number: number, argument = 0) => answer(filter, { number, audit, argument });
    const special = new Set([...refused, clone, clone3, socket]);
    fc.assert(
      fc.property(fc.nat(500), fc.nat(0xffff_ffff), (number, argument) => {
        if (!special.has(number)) return of(number, argument) === allow;
        return !refused.includes(number) || of(number, argument) === refuse;
      }),
      inputs(20_261_129, 3000),
    );
    for (const [name, number] of Object.entries(forbidden)) t.equal(of(number[architecture]), refuse, name);
    t.equal(of(clone3), notThere);
    t.equal(of(clone, 0x3d0f00), allow, 'a thread');
    for (const flag of [0x20000, 0x10000000, 0x40000000]) t.equal(of(clone, flag + 17), refuse, 'a namespace');
    t.same(
      [1, 2, 10, 16].map((family) => of(socket, family)),
      [allow, allow, allow, allow],
    );
    t.same(
      [0, 17, 38, 40].map((family) => of(socket, family)),
      [noFamily, noFamily, noFamily, noFamily],
    );
    t.equal(answer(filter, { number: 0, audit: 0x40000003, argument: 0 }), kill, 'of another processor');
    t.equal(new Set(refused).size, refused.length);
  }
  t.equal(answer(systemCallFilter('x64') as Buffer, { number: 0x40000000, audit: 0xc000003e, argument: 0 }), refuse);
  t.equal(systemCallFilter('riscv64'), undefined);
});

const hasFilters = /--seccomp-filter/.test(await run(['setpriv', '--help']));

t.test('a node that cannot set the filter says so and goes on', { skip: noWasmtime }, async (t) => {
  const lines: string[] = [];
  const log = { debug: () => undefined, info: (text: string) => lines.push(text), warn: t.fail, error: t.fail };
  const folder = await mkdtemp(join(tmpdir(), 'node-engine-filter-'));
  t.teardown(() => removeFolder(folder));
  const file = await installFilter(folder, join(folder, 'spare'), { path: wasmtime, user: undefined }, log);
  t.same(await readFile(join(folder, 'seccomp.bpf')), systemCallFilter(process.arch));
  if (hasFilters) t.equal(file, join(folder, 'seccomp.bpf'));
  else t.match(lines, [/without a filter of system calls: setpriv has none before util-linux 2\.41$/]);
});

t.test(
  'under the filter wasmtime runs, and another namespace cannot be made',
  { skip: noWasmtime || (hasFilters ? false : 'setpriv has no --seccomp-filter: util-linux is older than 2.41') },
  async (t) => {
    const file = join(t.testdir(), 'filter');
    await writeFile(file, systemCallFilter(process.arch) as Buffer);
    t.match(await run([...dropPrivileges(undefined, file), wasmtime, '--version']), /^wasmtime/);
    await t.rejects(run([...dropPrivileges(undefined, file), 'unshare', '--user', 'true']), CommandFailed);
  },
);
