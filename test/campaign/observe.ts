import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { markVariable } from '../../worker/node-engine/process/launch.ts';
import { outputMark } from '../../worker/node-engine/process/output.ts';
import { processesMarked } from '../../worker/node-engine/process/proc.ts';
import { run } from '../support/network.ts';

/** What there is on the board, by instance where that can be said. */
export type Observed = {
  readonly processes: readonly string[];
  readonly namespaces: readonly string[];
  readonly links: readonly string[];
  /** Each host port that is mapped, and to how many instances. */
  readonly ports: readonly { readonly host: string; readonly targets: number }[];
  readonly engineJournal: readonly string[];
  readonly networkJournal: readonly string[];
  /** What should not be there at all, whatever runs. */
  readonly leftoversOf: readonly string[];
};

const names = (folder: string): Promise<readonly string[]> => readdir(folder).catch(() => []);

/** Instances of an engine by the marks of their processes. */
const marked = async (state: string, mark: string): Promise<readonly string[]> =>
  [...(await processesMarked(mark)).keys()]
    .filter((file) => file.startsWith(state))
    .map((file) => basename(file, '.json'));

type Map4 = { readonly map?: { readonly name: string; readonly elem?: readonly unknown[] } };

/** The elements of the maps for IPv4: [[{concat: [protocol, port, …]}, {concat: [address, port]}], …]. */
const mappedPorts = async (): Promise<Observed['ports']> => {
  const text = await run('nft', '-j', 'list', 'table', 'inet', 'oakestra').catch(() => '{"nftables":[]}');
  const { nftables } = JSON.parse(text) as { readonly nftables: readonly Map4[] };
  const targets = new Map<string, Set<string>>();
  for (const { map } of nftables)
    if (map?.name === 'ports4' || map?.name === 'shared4')
      for (const element of (map.elem ?? []) as readonly (readonly { readonly concat: readonly unknown[] }[])[]) {
        const [from, to] = element;
        const host = String(from?.concat[1]);
        targets.set(host, (targets.get(host) ?? new Set()).add(String(to?.concat[0])));
      }
  return [...targets].map(([host, of]) => ({ host, targets: of.size }));
};

const linkNames = async (): Promise<readonly string[]> =>
  (JSON.parse(await run('ip', '-j', 'link')) as readonly { readonly ifname: string }[])
    .map(({ ifname }) => ifname)
    .filter((name) => name.startsWith('veth00oak'));

type NetworkJournal = {
  readonly entries: readonly { readonly instance: { readonly service: string; readonly instance: number } }[];
};

/** Looks at the board whose daemons keep their state in these folders. */
export const observe = async (engineState: string, networkState: string): Promise<Observed> => {
  const [processes, writers, namespaces, links, ports, files, words, journal, spare] = await Promise.all([
    marked(engineState, markVariable),
    marked(engineState, outputMark),
    names('/run/netns'),
    linkNames(),
    mappedPorts(),
    names(join(engineState, 'instances')),
    names(join(engineState, 'reports')),
    readFile(join(networkState, 'journal.json'), 'utf8').catch(() => '{"entries":[]}'),
    run('find', '/run/oakestra/node-engine', '-type', 'f').catch(() => ''),
  ]);
  const { entries } = JSON.parse(journal) as NetworkJournal;
  const engineJournal = files.filter((file) => file.endsWith('.json')).map((file) => basename(file, '.json'));
  return {
    processes,
    namespaces,
    links,
    ports,
    engineJournal,
    networkJournal: entries.map(({ instance }) => `${instance.service}.instance.${instance.instance}`),
    leftoversOf: [
      ...words.map((file) => `the word ${file}`),
      ...files.filter((file) => !/\.(json|exit)$/.test(file)),
      ...spare.split('\n').filter((file) => file !== ''),
      ...writers.filter((task) => !processes.includes(task)).map((task) => `who writes the output of ${task}`),
    ],
  };
};
