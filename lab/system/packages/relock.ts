import fs from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { labFault } from '../errors.ts';
import { proxyVariables } from '../internet/internet.ts';
import { openRun } from '../runs.ts';
import { architecturesOf, componentOf, fetchKeyring, type SetName } from './fetch.ts';
import { packageIndex } from './index.ts';
import { debianNames, type PackageLock } from './lock.ts';
import { debianMirror } from './mirror.ts';
import wanted from './packages.json' with { type: 'json' };

type WantedSet = {
  readonly packages: readonly string[];
  readonly without?: readonly string[];
  readonly only?: string;
};

const setNames = Object.keys(wanted.sets) as SetName[];

/** Settings of an apt world of its own: nothing of the host's apt is read or changed but the archive's keyring. */
const aptConfig = (folder: string, architecture: string): string => `
Dir "${folder}";
Dir::Etc::sourcelist "${folder}/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferencesparts "-";
Dir::Etc::main "-";
Dir::Etc::parts "-";
Dir::State "${folder}/state";
Dir::State::Lists "${folder}/lists";
Dir::State::status "${folder}/status";
Dir::Cache "${folder}/cache";
Acquire::Languages "none";
APT::Architecture "${architecture}";
APT::Architectures { "${architecture}"; };
`;

/** Names of everything that `packages` need on an empty system, by apt's own resolver. */
const resolve = async (
  folder: string,
  packages: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly string[]> => {
  const { stdout } = await execa(
    'apt-get',
    ['-qq', '--no-install-recommends', '--print-uris', 'install', ...packages],
    { env: { APT_CONFIG: path.join(folder, 'apt.conf') }, ...(signal ? { cancelSignal: signal } : {}) },
  );
  return stdout.split('\n').flatMap((line) => /^'\S+' ([^_\s]+)_/.exec(line)?.[1] ?? []);
};

const aptWorld = async (folder: string, architecture: string, signal: AbortSignal | undefined): Promise<void> => {
  for (const part of ['lists/partial', 'cache/archives/partial', 'state'])
    await fs.mkdir(path.join(folder, part), { recursive: true });
  await fs.writeFile(path.join(folder, 'status'), '');
  const components = [...new Set(setNames.map(componentOf))].join(' ');
  await fs.writeFile(
    path.join(folder, 'sources.list'),
    `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${debianMirror()} ${wanted.suite} ${components}\n`,
  );
  await fs.writeFile(path.join(folder, 'apt.conf'), aptConfig(folder, architecture));
  await execa('apt-get', ['-qq', 'update'], {
    env: { ...proxyVariables(), APT_CONFIG: path.join(folder, 'apt.conf') },
    ...(signal ? { cancelSignal: signal } : {}),
  });
};

/**
 * A new lock for all sets: apt resolves the names, the mirror's signed index gives versions, paths and digests.
 * Needs a host with apt. Throws a lab fault when there is none.
 */
export const relock = async (signal?: AbortSignal): Promise<PackageLock> => {
  const { exitCode } = await execa('apt-get', ['--version'], { reject: false });
  if (exitCode !== 0) throw labFault('renewing the lock needs a host with apt (Debian or Ubuntu)');
  await using stack = new AsyncDisposableStack();
  const sets: Record<string, PackageLock['sets'][string]> = {};
  const keyring = await fetchKeyring(signal);
  for (const architecture of Object.values(debianNames).toSorted()) {
    const { folder } = stack.use(await openRun(`the package lists of ${architecture}`));
    await aptWorld(folder, architecture, signal);
    for (const name of setNames) {
      const set: WantedSet = wanted.sets[name];
      if (!architecturesOf(name).includes(architecture)) continue;
      const part = { suite: wanted.suite, component: componentOf(name), architecture };
      const index = await packageIndex(debianMirror(), part, keyring, signal);
      const only = set.only === undefined ? undefined : new RegExp(set.only);
      const names = (await resolve(folder, set.packages, signal)).filter(
        (entry) => !set.without?.includes(entry) && (!only || only.test(entry)),
      );
      sets[`${name}/${architecture}`] = names.toSorted().map((entry) => {
        const found = index.get(entry);
        if (!found) throw labFault(`${entry} is not in ${part.component} of ${wanted.suite}`);
        return found;
      });
    }
  }
  return { suite: wanted.suite, sets };
};
