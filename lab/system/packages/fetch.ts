import limit from 'p-limit';
import { labFault } from '../errors.ts';
import { cachePath } from '../files/cache.ts';
import { download, NotFound } from '../internet/download.ts';
import { packageIndex } from './index.ts';
import { hostArchitecture, type LockedPackage, lockedSet } from './lock.ts';
import { debianMirror } from './mirror.ts';
import wanted from './packages.json' with { type: 'json' };

/** A set's packages on disk; `unlocked` names those whose locked version the mirror no longer had. */
export type FetchedSet = {
  readonly packages: readonly (LockedPackage & { readonly file: string })[];
  readonly unlocked: readonly string[];
};

export type SetName = keyof typeof wanted.sets;
export type FetchProgress = (done: number, total: number) => void;

const parallel = limit(8);

/** The architecture that a set's packages are for: the board's, or this computer's for tools that run here. */
export const architectureOf = (set: SetName): 'amd64' | 'arm64' =>
  wanted.sets[set].architecture === 'host' ? hostArchitecture() : 'arm64';

/** The archive's component that a set's packages are in. */
export const componentOf = (set: SetName): string => {
  const entry = wanted.sets[set];
  return 'component' in entry ? entry.component : wanted.component;
};

const fetchPackage = (pinned: LockedPackage, signal: AbortSignal | undefined): Promise<string> =>
  parallel(() =>
    download(
      `${debianMirror()}/${pinned.path.split('/').map(encodeURIComponent).join('/')}`,
      pinned.sha256,
      cachePath('packages', `${pinned.sha256}.deb`),
      signal,
    ),
  );

/** The keyring package of the lock: the root of trust when versions have to be looked up anew. */
export const fetchKeyring = async (signal?: AbortSignal): Promise<string> => {
  const [keyring] = lockedSet('keyring/arm64');
  if (!keyring) throw new Error('the lock has no keyring');
  return fetchPackage(keyring, signal);
};

const newestOf = async (pinned: LockedPackage, set: SetName, signal: AbortSignal | undefined) => {
  const index = await packageIndex(
    debianMirror(),
    { suite: wanted.suite, component: componentOf(set), architecture: architectureOf(set) },
    await fetchKeyring(signal),
    signal,
  );
  const newest = index.get(pinned.name);
  if (!newest)
    throw labFault(`the mirror has neither ${pinned.name} ${pinned.version} nor a newer one`, [
      'npm run lab -- image lock',
    ]);
  return newest;
};

/**
 * A set's packages, downloaded several at once and checked by SHA-256. A version that the mirror dropped is replaced
 * by the one that its signed index offers now, and said so in `unlocked`.
 */
export const fetchSet = async (
  set: SetName,
  progress: FetchProgress = () => {},
  signal?: AbortSignal,
): Promise<FetchedSet> => {
  const pinned = lockedSet(`${set}/${architectureOf(set)}`);
  const total = pinned.reduce((sum, { size }) => sum + size, 0);
  const unlocked: string[] = [];
  let done = 0;
  const packages = await Promise.all(
    pinned.map(async (entry) => {
      let used = entry;
      let file: string;
      try {
        file = await fetchPackage(entry, signal);
      } catch (error) {
        if (!(error instanceof NotFound)) throw error;
        used = await newestOf(entry, set, signal);
        file = await fetchPackage(used, signal);
        unlocked.push(`${entry.name} ${entry.version} -> ${used.version}`);
      }
      done += entry.size;
      progress(done, total);
      return { ...used, file };
    }),
  );
  return { packages, unlocked };
};
