import fs from 'node:fs';
import settings from '../../settings.json' with { type: 'json' };

type Source = { readonly uri: string; readonly suites: readonly string[]; readonly components: readonly string[] };

/** The entries of a deb822 source file (`*.sources`). */
const parseSources = (text: string): readonly Source[] =>
  text.split(/\n\s*\n/).flatMap((stanza) => {
    const field = (name: string) =>
      new RegExp(`^${name}:[ \\t]*(.+)$`, 'mi').exec(stanza)?.[1]?.trim().split(/\s+/) ?? [];
    if (!field('Types').includes('deb') || field('Enabled')[0] === 'no') return [];
    return field('URIs').map((uri) => ({ uri, suites: field('Suites'), components: field('Components') }));
  });

/** The entries of a one-line source file (`sources.list`). */
const parseList = (text: string): readonly Source[] =>
  text.split('\n').flatMap((line) => {
    const match = /^deb\s+(?:\[[^\]]*\]\s+)?(?<uri>\S+)\s+(?<suite>\S+)\s+(?<components>.+)$/.exec(line.trim());
    const { uri, suite, components } = match?.groups ?? {};
    if (uri === undefined || suite === undefined || components === undefined) return [];
    return [{ uri, suites: [suite], components: components.split(/\s+/) }];
  });

/**
 * The mirror that a Debian host's apt is configured with, out of its source files' texts by name: the first HTTP
 * entry that offers a release of Debian itself (not its security archive, not anyone else's packages).
 */
export const mirrorOf = (files: ReadonlyMap<string, string>, codename: string): string | undefined =>
  [...files]
    .flatMap(([name, text]) => (name.endsWith('.sources') ? parseSources(text) : parseList(text)))
    .find(
      ({ uri, suites, components }) => /^https?:/.test(uri) && suites.includes(codename) && components.includes('main'),
    )
    ?.uri.replace(/\/+$/, '');

const read = (file: string): string => {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

const hostMirror = (): string | undefined => {
  const release = read('/etc/os-release');
  const codename = /^VERSION_CODENAME=(\S+)$/m.exec(release)?.[1];
  if (!/^ID=debian$/m.test(release) || codename === undefined) return undefined;
  const folder = '/etc/apt/sources.list.d';
  const names = fs.existsSync(folder) ? fs.readdirSync(folder).toSorted() : [];
  const files = ['/etc/apt/sources.list', ...names.map((name) => `${folder}/${name}`)].filter((file) =>
    /\.(list|sources)$/.test(file),
  );
  return mirrorOf(new Map(files.map((file) => [file, read(file)])), codename);
};

/** Where packages come from: `LAB_DEBIAN_MIRROR`, else the mirror of a Debian host's apt, else the settings file's. */
export const debianMirror = (): string =>
  (process.env['LAB_DEBIAN_MIRROR'] || hostMirror() || settings.debianMirror).replace(/\/+$/, '');
