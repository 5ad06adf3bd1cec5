import fs from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { boardPrograms, programEntries } from '../../../image/board-programs.ts';
import { fileEntry } from '../../../image/entries.ts';
import { completeTree, tarBytes } from '../../../image/layer.ts';
import { nodeVersion } from '../../../image/node-program.ts';
import { workerEntries } from '../../../image/worker-entries.ts';
import type { Input } from '../../../report/model/results.ts';
import type { Architecture } from '../../../system/elf.ts';
import { cached, cachePath } from '../../../system/files/cache.ts';
import { fileDigest, sha256 } from '../../../system/files/digest.ts';
import type { TreeEntry } from '../../../system/packages/deb.ts';
import { openRun } from '../../../system/runs.ts';

/** What a board that has no worker is given for a run: archives to unpack one after the other, and what is in them. */
export type Payload = {
  readonly archives: readonly string[];
  readonly wasmtimeVersion: string;
  readonly inputs: readonly Input[];
};

const archive = async (entries: readonly TreeEntry[], target: string): Promise<void> => {
  // fast: the network that it goes over is faster than a thorough compression
  await fs.writeFile(target, gzipSync(await tarBytes(completeTree(entries)), { level: 3 }));
};

const programs = async (architecture: Architecture, wanted: string | undefined, signal: AbortSignal) => {
  const found = await boardPrograms(architecture, wanted, signal);
  const { node, wasmtime } = found;
  const nodeDigest = await fileDigest(node);
  const key = sha256([nodeDigest, wasmtime.sha256].join('\n')).slice(0, 16);
  const file = await cached(
    cachePath('payload', `programs-${key}.tar.gz`),
    async (temporary) => archive(await programEntries(found, 'usr/bin', signal), temporary),
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
  const entries: readonly TreeEntry[] = [
    ...(await workerEntries(workspace)),
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
