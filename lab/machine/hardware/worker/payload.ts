import fs from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { fileEntry, folderTree } from '../../../image/entries.ts';
import { completeTree, writeTar } from '../../../image/layer.ts';
import { boardNode, nodeVersion } from '../../../image/node-program.ts';
import { strip } from '../../../image/strip.ts';
import { buildWorker } from '../../../image/worker-bundle.ts';
import type { Input } from '../../../report/model/results.ts';
import { type Architecture, hostMachine } from '../../../system/elf.ts';
import { labFault } from '../../../system/errors.ts';
import { cached, cachePath } from '../../../system/files/cache.ts';
import { fileDigest, sha256 } from '../../../system/files/digest.ts';
import type { TreeEntry } from '../../../system/packages/deb.ts';
import { fetchTools } from '../../../system/packages/tools.ts';
import { openRun } from '../../../system/runs.ts';
import { provideWasmtime } from '../../../wasm/wasmtime.ts';

const overlay = fileURLToPath(new URL('../../../../buildroot/overlay/', import.meta.url));

/** What a board that has no worker is given for a run: archives to unpack one after the other, and what is in them. */
export type Payload = {
  readonly archives: readonly string[];
  readonly wasmtimeVersion: string;
  readonly inputs: readonly Input[];
};

const archive = async (entries: readonly TreeEntry[], target: string): Promise<void> => {
  await writeTar(completeTree(entries), target);
  // fast: the network that it goes over is faster than a thorough compression
  await fs.writeFile(target, gzipSync(await fs.readFile(target), { level: 3 }));
};

/** Node for a board: the lock's own for Arm, this process's where the board is of the same kind. */
const nodeFor = (architecture: Architecture, signal: AbortSignal): Promise<string> => {
  if (architecture === 'aarch64') return boardNode(signal);
  if (architecture === hostMachine()) return Promise.resolve(process.execPath);
  throw labFault(`there is no Node for a board of ${architecture} here`, ['run the lab on a computer of that kind']);
};

const programs = async (architecture: Architecture, wanted: string | undefined, signal: AbortSignal) => {
  const [node, wasmtime] = await Promise.all([
    nodeFor(architecture, signal),
    provideWasmtime(architecture, wanted, signal),
  ]);
  const nodeDigest = await fileDigest(node);
  const key = sha256([nodeDigest, wasmtime.sha256].join('\n')).slice(0, 16);
  const file = await cached(
    cachePath('payload', `programs-${key}.tar.gz`),
    async (temporary) => {
      const tools = architecture === 'aarch64' ? await fetchTools('image-tools', undefined, signal) : undefined;
      const bytes = (program: string) => (tools ? strip(program, tools, signal) : fs.readFile(program));
      const entries = [
        fileEntry('usr/bin/node', await bytes(node), 0o755),
        fileEntry('usr/bin/wasmtime', await bytes(wasmtime.file), 0o755),
      ];
      await archive(entries, temporary);
    },
    { signal },
  );
  return { file, wasmtime, nodeDigest };
};

/** Packs what a run needs: Node and wasmtime, the worker's bundles, its start scripts and default configuration. */
export const packPayload = async (
  hostname: string,
  architecture: Architecture,
  wasmtimeWanted: string | undefined,
  signal: AbortSignal,
): Promise<Payload> => {
  await using stack = new AsyncDisposableStack();
  const { folder: workspace } = stack.use(await openRun('what a board is given'));
  await buildWorker(workspace);
  const entries: readonly TreeEntry[] = [
    ...(await folderTree(overlay)),
    ...(await folderTree(workspace)).map((entry) => ({ ...entry, path: `usr/lib/oakestra/${entry.path}` })),
    fileEntry('etc/hostname', `${hostname}\n`),
    fileEntry('etc/hosts', `127.0.0.1 localhost ${hostname}\n::1 localhost ${hostname}\n`),
  ];
  const digest = sha256(
    entries.map((one) => `${one.path} ${one.mode} ${one.linkname} ${sha256(one.content)}`).join('\n'),
  );
  const { file, wasmtime, nodeDigest } = await programs(architecture, wasmtimeWanted, signal);
  const worker = await cached(
    cachePath('payload', `worker-${digest.slice(0, 16)}.tar.gz`),
    (temporary) => archive(entries, temporary),
    { signal },
  );
  return {
    archives: [file, worker],
    wasmtimeVersion: wasmtime.version,
    inputs: [
      { name: 'wasmtime (board)', version: wasmtime.version, sha256: wasmtime.sha256 },
      { name: 'node (board)', version: nodeVersion, sha256: nodeDigest },
      { name: 'worker', sha256: digest },
    ],
  };
};
