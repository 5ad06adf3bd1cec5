import fs from 'node:fs/promises';
import path from 'node:path';
import { buildWorker } from '../../image/worker-bundle.ts';
import type { Input } from '../../report/model/results.ts';
import { hostMachine } from '../../system/elf.ts';
import { cachePath } from '../../system/files/cache.ts';
import { runProgram } from '../../system/process.ts';
import type { RunFolder } from '../../system/runs.ts';
import type { Wasmtime } from '../../wasm/wasmtime.ts';
import { type Capability, type Machine, networkCapabilities } from '../machine.ts';
import { type Board, startBoard } from './board.ts';
import { enterBoard, pidFile } from './kept.ts';
import { mountRoot, run, sealRoot } from './mounts.ts';
import { boardRoot, hostname } from './root.ts';

/** What namespaces on this computer can do. */
export const localCapabilities: ReadonlySet<Capability> = new Set([...networkCapabilities, 'performance']);

/** The runtime that boards of this computer have. */
export const wasmtimeInput = ({ version, sha256 }: Wasmtime): Input => ({ name: 'wasmtime (board)', version, sha256 });

/** The same addresses as the emulator's user-mode network, so that a scenario cannot tell them apart. */
const network = { board: '10.0.2.15', lab: '10.0.2.2', prefix: 24, link: 'uplink' } as const;

const ip = (words: string, signal?: AbortSignal): Promise<void> => run('ip', words.split(' '), signal);

/** Gives both ends of the link between the lab and the board their addresses. */
const setUpUplink = async ({ pid }: Board, signal: AbortSignal): Promise<void> => {
  const { link, lab, board, prefix } = network;
  const inside = (words: string) => run('nsenter', ['--target', `${pid}`, '--net', 'ip', ...words.split(' ')], signal);
  await ip('link set lo up', signal);
  await ip(`address add ${lab}/${prefix} dev ${link}`, signal);
  await ip(`link set ${link} up`, signal);
  await inside(`address add ${board}/${prefix} dev eth0`);
  await inside('link set eth0 up');
  await inside(`route add default via ${lab}`);
};

/**
 * Starts a board on this computer's own kernel. This process has to be in the lab's namespaces. Nothing outside of
 * them is touched: the board's root can only read what is this computer's, also where an administrator runs the lab.
 * Nothing survives this process unless it is released.
 */
export const startLocal = async (wasmtime: Wasmtime, runFolder: RunFolder, signal: AbortSignal): Promise<Machine> => {
  const { folder, env, lock } = runFolder;
  const root = path.join(folder, 'root');
  const visible = (
    await Promise.all(
      ['tools', 'commands'].map(async (name) => {
        const found = await fs.stat(cachePath(name)).catch(() => undefined);
        return found ? [cachePath(name)] : [];
      }),
    )
  ).flat();
  await using stack = new AsyncDisposableStack();
  const programs = { node: process.execPath, wasmtime: wasmtime.file };
  const worker = path.join(folder, 'worker');
  await buildWorker(worker);
  const tree = await boardRoot(worker, programs, visible);
  stack.defer(() => run('umount', ['--lazy', root]));
  await mountRoot(root, tree, signal);
  const environment = { PATH: process.env['PATH'] ?? '', HOME: '/root', ...env };
  const board = stack.use(await startBoard(root, hostname, { env: environment, lock }, signal));
  await sealRoot(root, board.pid, signal);
  await board.enterRoot(signal);
  await ip(`link add name ${network.link} type veth peer name eth0 netns ${board.pid}`, signal);
  stack.defer(() =>
    ip(`link delete ${network.link}`).catch((error: unknown) => {
      // it has gone with the other end, in the namespace of a board that ended
      if (!board.lost.aborted) throw error;
    }),
  );
  await setUpUplink(board, signal);
  await fs.writeFile(path.join(folder, pidFile), `${board.pid}\n`);
  const resources = stack.move();

  const enter = enterBoard(board.pid);
  // set on the command line: what debuggers and test runners add to the environment of children must not get in
  const clean = (variables: Readonly<Record<string, string>>) => [
    'env',
    '-i',
    ...Object.entries(variables).map(([name, value]) => `${name}=${value}`),
  ];
  const program = (argv: readonly string[], options: Parameters<Machine['exec']>[1] = {}) =>
    runProgram([...enter, ...clean({ ...environment, ...options.env }), ...argv], {
      env: environment,
      stdin: options.stdin,
      signal: options.signal ? AbortSignal.any([board.lost, options.signal]) : board.lost,
    });
  return {
    name: 'local',
    architecture: hostMachine(),
    accelerator: 'none',
    fidelity: 'native',
    capabilities: localCapabilities,
    uplink: { board: network.board, lab: network.lab, bind: network.lab },
    timeoutFactor: 1,
    inputs: [
      wasmtimeInput(wasmtime),
      { name: 'node (board)', version: process.version },
      { name: 'worker', sha256: tree.digest },
    ],
    wasmtimeVersion: wasmtime.version,
    logs: [],
    lost: board.lost,
    exec: async (argv, options) => {
      const { code, stdout, stderr } = await program(argv, options);
      return { code, stdout: stdout.toString(options?.encoding ?? 'utf8'), stderr: stderr.toString('utf8') };
    },
    writeFile: async (file, content, mode = 0o644) => {
      const script = 'mkdir -p "$1" && cat >"$2" && chmod "$3" "$2"';
      const argv = ['sh', '-c', script, 'sh', path.dirname(file), file, mode.toString(8)];
      const { code, stderr } = await program(argv, { stdin: content });
      if (code !== 0) throw new Error(`cannot write ${file} on the board: ${stderr.toString().trim()}`);
    },
    readFile: async (file) => {
      const { code, stdout, stderr } = await program(['cat', file]);
      if (code !== 0) throw new Error(`cannot read ${file} on the board: ${stderr.toString().trim()}`);
      return stdout;
    },
    release: board.release,
    forward: async (port) => ({ host: network.board, port }),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
};
