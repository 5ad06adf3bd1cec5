import { createReadStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import Type from 'typebox';
import { parseJson } from '../../../worker/contract/check.ts';
import { usageFault } from '../../system/errors.ts';
import { sha256 } from '../../system/files/digest.ts';
import { builtFiles, imageFile } from './output.ts';

/** One thing that two images have in different ways, or only one of them has. */
export type Difference = {
  readonly kind: 'file' | 'package' | 'option';
  readonly name: string;
  readonly before?: string | undefined;
  readonly after?: string | undefined;
};

/** An image by what can be compared: name to a description that is equal for equal things. */
export type Contents = Readonly<Record<Difference['kind'], ReadonlyMap<string, string>>>;

const Packages = Type.Record(Type.String(), Type.Object({ version: Type.Optional(Type.String()) }));

/** The options of a Kconfig file, unset ones left out. */
export const parseOptions = (text: string): ReadonlyMap<string, string> =>
  new Map([...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]));

/** What is in the image of a Buildroot output folder. Throws a usage fault when no image was built there. */
export const readContents = async (output: string): Promise<Contents> => {
  const rootfs = imageFile(output, 'rootfs.tar');
  const isThere = await fs.access(rootfs).then(
    () => true,
    () => false,
  );
  if (!isThere) throw usageFault(`${output} has no images/rootfs.tar: it takes Buildroot's output folder`);
  const file = new Map<string, string>();
  const entries = extract();
  createReadStream(rootfs).pipe(entries);
  for await (const entry of entries) {
    const { name, type, mode = 0, linkname } = entry.header;
    const content = await buffer(entry);
    const what =
      type === 'file' ? `${content.length} bytes ${sha256(content).slice(0, 12)}` : `${type} ${linkname ?? ''}`;
    file.set(path.join('/', name), `${(mode & 0o7777).toString(8)} ${what.trim()}`);
  }
  const read = (name: string) => fs.readFile(path.join(output, name), 'utf8');
  const list = parseJson(Packages, await read(builtFiles.packages).catch(() => '{}'), builtFiles.packages);
  return {
    file,
    package: new Map(Object.entries(list).map(([name, { version = '' }]) => [name, version])),
    option: parseOptions(await read('.config')),
  };
};

/** What differs between two images, by kind and name. */
export const compareContents = (before: Contents, after: Contents): readonly Difference[] =>
  (['package', 'option', 'file'] as const).flatMap((kind) => {
    const names = new Set([...before[kind].keys(), ...after[kind].keys()]);
    return [...names].toSorted().flatMap((name) => {
      const [was, is] = [before[kind].get(name), after[kind].get(name)];
      return was === is ? [] : [{ kind, name, before: was, after: is }];
    });
  });
