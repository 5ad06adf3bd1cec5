import fs from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { labFault, messageOf, usageFault } from '../../system/errors.ts';
import { cached, cachePath, emptyFolder } from '../../system/files/cache.ts';
import releases from './releases.json' with { type: 'json' };

/** A Buildroot source tree: one of the pinned releases, or a folder that the user named. */
export type BuildrootTree = { readonly folder: string; readonly version: string; readonly pinned: boolean };

const commits: Readonly<Record<string, string>> = releases.commits;

const fetchRelease = async (commit: string, folder: string, signal: AbortSignal | undefined): Promise<void> => {
  await emptyFolder(folder);
  const git = (...args: readonly string[]) =>
    execa('git', ['-C', folder, ...args], { stdin: 'ignore', ...(signal ? { cancelSignal: signal } : {}) });
  await git('init', '--quiet');
  // a commit's name is the digest of all that is in it
  await git('fetch', '--quiet', '--depth', '1', releases.repository, commit);
  await git('checkout', '--quiet', 'FETCH_HEAD');
};

const versionOf = async (folder: string): Promise<string> => {
  const makefile = await fs.readFile(path.join(folder, 'Makefile'), 'utf8').catch(() => '');
  const version = /^export BR2_VERSION := (\S+)/m.exec(makefile)?.[1];
  if (version === undefined) throw usageFault(`${folder} is not a Buildroot tree`);
  return version;
};

/**
 * The Buildroot tree to build with: the folder `tree`, or else a pinned release, fetched once by its commit. Throws a
 * usage fault for a release that is not pinned, a lab fault when it cannot be had.
 */
export const provideTree = async (
  { tree, version = releases.default }: { readonly tree?: string | undefined; readonly version?: string | undefined },
  signal?: AbortSignal,
): Promise<BuildrootTree> => {
  if (tree !== undefined) {
    const folder = path.resolve(tree);
    return { folder, version: await versionOf(folder), pinned: false };
  }
  const commit = commits[version];
  if (commit === undefined)
    throw usageFault(`no pinned Buildroot ${version}: there are ${Object.keys(commits).join(', ')}`, [
      'npm run lab -- image build buildroot --tree FOLDER',
    ]);
  try {
    const fetched = cachePath('buildroot', 'trees', version);
    const folder = await cached(fetched, (temporary) => fetchRelease(commit, temporary, signal), { signal });
    return { folder, version, pinned: true };
  } catch (error) {
    signal?.throwIfAborted();
    throw labFault(
      `could not get Buildroot ${version} from ${releases.repository}: ${messageOf(error).split('\n')[0]}`,
      ['npm run lab -- image build buildroot --tree FOLDER'],
      error,
    );
  }
};
