import { InvalidData } from '../../../contract/check.ts';
import type { ComponentInfo, World } from '../../../contract/component.ts';

/** What wasmtime may have been built without: it is asked for the first component that needs it. */
export type Feature = 'wasi 0.3' | 'http' | 'config' | 'keyvalue' | 'tls' | 'nn';

/** A package of interfaces that components may import. */
export type Offer = {
  readonly package: string;
  /** Versions and their interfaces. One that ends in a number stands for every patch of it, as wasmtime links them. */
  readonly versions: Readonly<Record<string, readonly string[]>>;
  /** What the component gets; a row of the README's table. */
  readonly given: string;
  /** Undefined where every wasmtime has it. */
  readonly feature?: Feature;
  /** What wasmtime's option -S has to hold for a component in a world to get it; undefined where nothing has to. */
  readonly options?: Partial<Record<World, string>>;
  /** The worlds that have it; all when undefined. */
  readonly worlds?: readonly World[];
};

const terminals = ['terminal-input', 'terminal-output', 'terminal-stdin', 'terminal-stdout', 'terminal-stderr'];
const streams = ['environment', 'exit', 'stdin', 'stdout', 'stderr', ...terminals];
const sockets = ['tcp', 'tcp-create-socket', 'udp', 'udp-create-socket'];
const network = 'inherit-network,allow-ip-name-lookup';

/**
 * Everything that components may import, as wasmtime 48 has it (the interfaces that its `run` and `serve` link).
 * The README shows this table.
 */
export const offers: readonly Offer[] = [
  {
    package: 'wasi:cli',
    versions: { '0.2': streams, '0.3': [...streams, 'types'] },
    given: "arguments and environment of the job, output to the instance's log, no input",
  },
  {
    package: 'wasi:clocks',
    versions: { '0.2': ['monotonic-clock', 'wall-clock'], '0.3': ['monotonic-clock', 'system-clock', 'types'] },
    given: "the board's clocks",
  },
  {
    package: 'wasi:random',
    versions: { '0.2': ['random', 'insecure', 'insecure-seed'], '0.3': ['random', 'insecure', 'insecure-seed'] },
    given: "the kernel's random numbers",
  },
  { package: 'wasi:io', versions: { '0.2': ['error', 'poll', 'streams'] }, given: 'always' },
  {
    package: 'wasi:filesystem',
    versions: { '0.2': ['types', 'preopens'], '0.3': ['types', 'preopens'] },
    given: 'no folder: nothing of the board can be opened',
  },
  {
    package: 'wasi:http',
    versions: { '0.2': ['types', 'outgoing-handler'], '0.3': ['types', 'client'] },
    given: "requests to others, as far as the instance's network lets them through (`Egress`)",
    feature: 'http',
    options: { command: 'http' },
  },
  {
    package: 'wasi:sockets',
    versions: {
      '0.2': ['network', 'instance-network', 'ip-name-lookup', ...sockets],
      '0.3': ['types', 'ip-name-lookup'],
    },
    given: "TCP, UDP and name lookup in the instance's own network namespace (`Egress`)",
    options: { command: network, proxy: network },
  },
  {
    package: 'wasi:config',
    versions: { '0.2.0-rc.1': ['store'] },
    given:
      "the job's environment; its values are then in wasmtime's argument list, which other users of the board can read",
    feature: 'config',
    options: { command: 'config', proxy: 'config' },
  },
  {
    package: 'wasi:keyvalue',
    versions: { '0.2.0-draft': ['store', 'atomics', 'batch'] },
    given:
      'a store in memory, empty at first: of a command for as long as it runs, of a service for each instance of the component, that is for one request unless instances are reused',
    feature: 'keyvalue',
    options: { command: 'keyvalue', proxy: 'keyvalue' },
  },
  {
    package: 'wasi:tls',
    versions: { '0.2.0-draft': ['types'], '0.3.0-draft': ['types', 'client'] },
    given: 'TLS to others, for commands only: wasmtime serve has none',
    feature: 'tls',
    options: { command: 'tls' },
    worlds: ['command'],
  },
  {
    package: 'wasi:nn',
    versions: { '0.2.0-rc-2024-10-28': ['errors', 'graph', 'inference', 'tensor'] },
    given: 'where wasmtime was built with it; no model is loaded beforehand',
    feature: 'nn',
    options: { command: 'nn', proxy: 'nn' },
  },
];

/** Modules that core modules may import from: WASI preview 1, what came before it, and wasi-nn where it was built in. */
const moduleNn = 'wasi_ephemeral_nn';
export const moduleImports: readonly string[] = ['wasi_snapshot_preview1', 'wasi_unstable', moduleNn];

type Import = { readonly package: string; readonly interface: string; readonly version: string };

/** `wasi:http/types@0.2.9` in its parts; undefined for what is no interface of a package. */
const parseImport = (name: string): Import | undefined => {
  const parts = /^(?<package>[^:/@]+:[^/@]+)\/(?<interface>[^/@]+)(?:@(?<version>.+))?$/.exec(name)?.groups;
  return (
    parts && { package: parts['package'] ?? '', interface: parts['interface'] ?? '', version: parts['version'] ?? '' }
  );
};

/** The key of {@link Offer.versions} that a version belongs to: its own, or `0.2` for every `0.2.x` that is a release. */
const trackOf = (version: string): string => /^(\d+\.\d+)\.\d+(?:\+.*)?$/.exec(version)?.[1] ?? version;

/** What an import is given by; undefined when it is not in the table. */
const offerFor = (imported: Import): Offer | undefined =>
  offers.find(
    (offer) =>
      offer.package === imported.package && offer.versions[trackOf(imported.version)]?.includes(imported.interface),
  );

/** What is known of the wasmtime that will run a component. */
export type RuntimeFacts = {
  readonly version: string;
  /** Features that it was asked for and has not got. */
  readonly lacks: ReadonlySet<Feature>;
};

/** The releases whose interfaces {@link offers} holds: of others it is not known what they lack of WASI. */
const knownRelease = /^48\./;

const isLacking = (name: string, world: World, { version, lacks }: RuntimeFacts): boolean => {
  const imported = parseImport(name);
  // a function or another thing by a name alone is nothing that wasmtime's programs provide
  if (imported === undefined) return true;
  const offer = offerFor(imported);
  if (offer === undefined) return !imported.package.startsWith('wasi:') || knownRelease.test(version);
  if (offer.worlds !== undefined && !offer.worlds.includes(world)) return knownRelease.test(version);
  const newer = trackOf(imported.version) === '0.3' && lacks.has('wasi 0.3');
  return newer || (offer.feature !== undefined && lacks.has(offer.feature));
};

/** The features that wasmtime has to be asked for before a component is run in `world`. */
export const featuresOf = (info: ComponentInfo, world: World): readonly Feature[] => {
  if (info.kind === 'module') return info.imports.includes(moduleNn) ? ['nn'] : [];
  const found = new Set<Feature>();
  for (const name of info.imports) {
    const imported = parseImport(name);
    const feature = imported && offerFor(imported)?.feature;
    // `wasmtime serve` would not be there without wasi:http
    if (feature !== undefined && !(feature === 'http' && world === 'proxy')) found.add(feature);
    if (imported && trackOf(imported.version) === '0.3') found.add('wasi 0.3');
  }
  return [...found];
};

/** The most of what is missing that is named, and the most characters of each. */
const named = { items: 5, characters: 100 } as const;

/** Throws {@link InvalidData} that names everything that a component needs and this wasmtime has not got. */
export const checkImports = (info: ComponentInfo, world: World, facts: RuntimeFacts): void => {
  const lacking = info.needs.filter((name) =>
    info.kind === 'module'
      ? !moduleImports.includes(name) || (name === moduleNn && facts.lacks.has('nn'))
      : isLacking(name, world, facts),
  );
  if (lacking.length === 0) return;
  const names = lacking.slice(0, named.items).map((name) => `'${name.slice(0, named.characters)}'`);
  const more = lacking.length > named.items ? ` and ${lacking.length - named.items} more` : '';
  const whom = world === 'proxy' ? 'HTTP services' : world === 'command' ? 'commands' : 'core modules';
  throw new InvalidData('image', [
    `it imports ${names.join(', ')}${more}, which wasmtime ${facts.version} does not provide to ${whom}`,
  ]);
};

/** wasmtime's options that hand a component in `world` what it imports, each once; never one that wasmtime lacks. */
export const importOptions = (info: ComponentInfo, world: World, { lacks }: RuntimeFacts): readonly string[] => {
  if (info.kind === 'module') return info.imports.includes(moduleNn) && !lacks.has('nn') ? ['-S', 'nn'] : [];
  const found = new Set<string>();
  for (const name of info.imports) {
    const imported = parseImport(name);
    const offer = imported && offerFor(imported);
    const option = offer?.feature !== undefined && lacks.has(offer.feature) ? undefined : offer?.options?.[world];
    if (option !== undefined) found.add(option);
  }
  return [...found].flatMap((option) => ['-S', option]);
};
