import fs from 'node:fs/promises';
import path from 'node:path';
import { cached, cachePath, emptyFolder } from '../files/cache.ts';
import { sha256 } from '../files/digest.ts';
import { commandLine } from '../quote.ts';
import { packageTree } from './deb.ts';
import { type FetchProgress, fetchSet, type SetName } from './fetch.ts';
import { hostArchitecture } from './lock.ts';

/** A program to start: an executable and the arguments that come before the caller's own. */
export type Program = { readonly file: string; readonly args: readonly string[] };

/** Programs of a package set, unpacked into the cache. */
export type Tools = {
  readonly root: string;
  /** SHA-256 over the digests of all its packages: which tools these are, exactly. */
  readonly digest: string;
  readonly version: (name: string) => string;
  readonly unlocked: readonly string[];
  /** A program by its path; `called` is the name it sees itself started by, where that makes a difference. */
  readonly program: (name: string, called?: string) => Program;
};

const platform = {
  amd64: { triple: 'x86_64-linux-gnu', loader: 'ld-linux-x86-64.so.2' },
  arm64: { triple: 'aarch64-linux-gnu', loader: 'ld-linux-aarch64.so.1' },
} as const;

const isOfNoUse = /^usr\/share\/(doc|man|locale|bash-completion|lintian|bug|info|zsh)\//;

const unpack = async (files: readonly string[], root: string, signal: AbortSignal | undefined): Promise<void> => {
  await emptyFolder(root);
  for (const file of files) {
    for await (const { path: name, type, mode, linkname, content } of packageTree(file, (p) => !isOfNoUse.test(p))) {
      signal?.throwIfAborted();
      const target = path.join(root, name);
      await fs.mkdir(type === 'directory' ? target : path.dirname(target), { recursive: true });
      if (type === 'file') await fs.writeFile(target, content, { mode: mode & 0o777 });
      else if (type === 'symlink') await fs.symlink(linkname, target);
      else if (type === 'link') await fs.link(path.join(root, linkname), target);
    }
  }
};

/**
 * The programs of a package set that run on this computer, fetched and unpacked on first use. They are started by
 * their own loader with their own libraries, so the distribution underneath does not matter.
 */
export const fetchTools = async (set: SetName, progress?: FetchProgress, signal?: AbortSignal): Promise<Tools> => {
  const { packages, unlocked } = await fetchSet(set, progress, signal);
  const digest = sha256(packages.map((entry) => entry.sha256).join('\n'));
  const root = await cached(
    cachePath('tools', `${set}-${digest.slice(0, 16)}`),
    (temporary) =>
      unpack(
        packages.map(({ file }) => file),
        temporary,
        signal,
      ),
    { signal },
  );
  const { triple, loader } = platform[hostArchitecture()];
  const libraries = path.join(root, 'usr/lib', triple);
  return {
    root,
    digest,
    unlocked,
    version: (name) => packages.find((entry) => entry.name === name)?.version ?? 'unknown',
    program: (name, called) => ({
      file: path.join(libraries, loader),
      args: ['--library-path', libraries, '--argv0', called ?? name, path.join(root, name)],
    }),
  };
};

/**
 * A folder for PATH with programs of `tools` (command to path in the tree), each a script that starts its program by
 * its own loader.
 */
export const commandFolder = (
  tools: Tools,
  commands: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<string> => {
  const key = sha256(JSON.stringify([tools.root, commands])).slice(0, 16);
  return cached(
    cachePath('commands', key),
    async (temporary) => {
      await emptyFolder(temporary);
      for (const [name, file] of Object.entries(commands)) {
        const program = tools.program(file, name);
        const words = commandLine([program.file, ...program.args]);
        await fs.writeFile(path.join(temporary, name), `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
      }
    },
    { signal },
  );
};
