import limit from 'p-limit';
import { labFault } from '../errors.ts';
import { cachePath } from '../files/cache.ts';
import { download, NotFound } from '../internet/download.ts';
import { packageIndex } from './index.ts';
import { type DebianArchitecture, debianNames, hostArchitecture, type LockedPackage, lockedSet } from './lock.ts';
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

/** What `packages.json` says of the architecture that a set is for: one, or any that this computer or a board may have. */
const wantedFor = (set: SetName): 'host' | 'board' | DebianArchitecture =>
  wanted.sets[set].architecture as 'host' | 'board' | DebianArchitecture;

/** The architectures that a set's packages are locked for. */
export const architecturesOf = (set: SetName): readonly DebianArchitecture[] => {
  const architecture = wantedFor(set);
  return architecture === 'host' || architecture === 'board' ? Object.values(debianNames) : [architecture];
};

/** The architecture that a set's packages are for: this computer's for tools that run here, or the board's. */
export const architectureOf = (set: SetName, board: DebianArchitecture = 'arm64'): DebianArchitecture => {
  const architecture = wantedFor(set);
  if (architecture === 'host') return hostArchitecture();
  return architecture === 'board' ? board : architecture;
};

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

const newestOf = async (
  pinned: LockedPackage,
  set: SetName,
  architecture: DebianArchitecture,
  signal: AbortSignal | undefined,
) => {
  const index = await packageIndex(
    debianMirror(),
    { suite: wanted.suite, component: componentOf(set), architecture },
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
 * by the one that its signed index offers now, and said so in `unlocked`. Of a set that any board has, those are fetched
 * that are for the architecture `board`.
 */
export const fetchSet = async (
  set: SetName,
  progress: FetchProgress = () => {},
  signal?: AbortSignal,
  board?: DebianArchitecture,
): Promise<FetchedSet> => {
  const architecture = architectureOf(set, board);
  const pinned = lockedSet(`${set}/${architecture}`);
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
        used = await newestOf(entry, set, architecture, signal);
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
