import { createHash } from 'node:crypto';
import { fileEntry } from '../../../../lab/image/entries.ts';
import { packageTree, type TreeEntry } from '../../../../lab/system/packages/deb.ts';

const info = 'var/lib/dpkg/info';

/** A package as dpkg has it once it is unpacked: its files, and what the database knows of it. */
type Unpacked = {
  readonly files: readonly TreeEntry[];
  readonly stanza: string;
  readonly records: readonly TreeEntry[];
  readonly triggers: readonly (readonly [name: string, who: string])[];
};

const field = (control: string, name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(control)?.[1] ?? '';

/** Hard links as files of their own: their order in an archive is of no matter then. */
const withoutLinks = (entries: readonly TreeEntry[]): readonly TreeEntry[] =>
  entries.map((entry) => {
    if (entry.type !== 'link') return entry;
    const target = entries.find(({ path }) => path === entry.linkname);
    if (!target) throw new Error(`${entry.path} is a link to ${entry.linkname}, which is not there`);
    return { ...target, path: entry.path };
  });

const unpack = async (file: string): Promise<Unpacked> => {
  const files = withoutLinks(await Array.fromAsync(packageTree(file)));
  const parts = await Array.fromAsync(packageTree(file, undefined, 'control'));
  const textOf = (name: string): string =>
    parts
      .find(({ path }) => path === name)
      ?.content.toString()
      .trimEnd() ?? '';
  const control = textOf('control');
  const [name, architecture] = [field(control, 'Package'), field(control, 'Architecture')];
  const called = field(control, 'Multi-Arch') === 'same' ? `${name}:${architecture}` : name;
  const conffiles = textOf('conffiles')
    .split('\n')
    .flatMap((line) => {
      const found = files.find(({ path, type }) => `/${path}` === line && type === 'file');
      return found ? [` ${line} ${createHash('md5').update(found.content).digest('hex')}`] : [];
    });
  const listed = ['/.', ...files.map(({ path }) => `/${path}`)];
  return {
    files,
    stanza: [
      control.replace(/^(Package: .*)$/m, '$1\nStatus: install ok unpacked'),
      ...(conffiles.length > 0 ? ['Conffiles:', ...conffiles] : []),
      '',
    ].join('\n'),
    records: [
      fileEntry(`${info}/${called}.list`, listed.map((line) => `${line}\n`).join('')),
      ...parts
        .filter(({ path, type }) => type === 'file' && path !== 'control')
        .map((part) => ({ ...part, path: `${info}/${called}.${part.path}` })),
    ],
    triggers: [...textOf('triggers').matchAll(/^interest(-noawait|-await)? (\S+)$/gm)].map(
      ([, kind, trigger = '']) => [trigger, `${name}${kind === '-noawait' ? '/noawait' : ''}`] as const,
    ),
  };
};

/** Who wants to know of what: dpkg has paths in one file, and names in one file each (dpkg: triggers.txt). */
const triggerEntries = (triggers: readonly (readonly [string, string])[]): readonly TreeEntry[] => {
  const folder = 'var/lib/dpkg/triggers';
  const paths = triggers.filter(([trigger]) => trigger.startsWith('/'));
  const names = Map.groupBy(
    triggers.filter(([trigger]) => !trigger.startsWith('/')),
    ([trigger]) => trigger,
  );
  return [
    fileEntry(`${folder}/File`, paths.map((words) => `${words.join(' ')}\n`).join('')),
    ...[...names].map(([name, all]) => fileEntry(`${folder}/${name}`, all.map(([, who]) => `${who}\n`).join(''))),
  ];
};

/**
 * A tree in which packages are unpacked as dpkg does it, and known to dpkg's database so: what is left for it is to
 * configure them. Their owners in the archives are not kept: all belongs to root.
 */
export const unpackedTree = async (packages: readonly string[]): Promise<readonly TreeEntry[]> => {
  const all: Unpacked[] = [];
  for (const file of packages) all.push(await unpack(file));
  return [
    ...all.flatMap(({ files, records }) => [...files, ...records]),
    ...triggerEntries(all.flatMap(({ triggers }) => triggers)),
    fileEntry(`${info}/format`, '1\n'),
    fileEntry('var/lib/dpkg/status', all.map(({ stanza }) => `${stanza}\n`).join('')),
  ];
};
