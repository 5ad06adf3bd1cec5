import { createReadStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { execa } from 'execa';
import Type from 'typebox';
import { parseJson } from '../../../worker/contract/check.ts';
import { cached, cachePath, emptyFolder } from '../../system/files/cache.ts';
import { sha256 } from '../../system/files/digest.ts';
import { packageTree, type TreeEntry, unxz } from '../../system/packages/deb.ts';
import type { Tools } from '../../system/packages/tools.ts';

/** A module's name as it is used everywhere: the file's, with underscores. */
const nameOf = (file: string): string =>
  path
    .basename(file)
    .replace(/\.ko(\.xz)?$/, '')
    .replaceAll('-', '_');

/** What each module needs, deepest first, out of a `modules.dep` file (modules.dep(5)). */
export const parseDependencies = (text: string): ReadonlyMap<string, readonly string[]> =>
  new Map(
    text.split('\n').flatMap((line) => {
      const [file, needs] = line.split(':');
      if (file === undefined || needs === undefined) return [];
      // modules.dep lists what is needed directly first; to load, the order is the reverse
      return [[nameOf(file), [...needs.trim().split(/\s+/).filter(Boolean).toReversed(), file]] as const];
    }),
  );

/** The files of the wanted modules and of all they need, in an order in which they can be loaded. */
export const moduleClosure = (
  dependencies: ReadonlyMap<string, readonly string[]>,
  builtin: ReadonlySet<string>,
  wanted: readonly string[],
): readonly string[] => {
  const files = new Set<string>();
  for (const name of wanted) {
    const needed = dependencies.get(name);
    if (!needed && !builtin.has(name)) throw new Error(`this kernel has no module '${name}'`);
    for (const file of needed ?? []) files.add(file);
  }
  return [...files];
};

/** A kernel package's parts in a folder of the cache. */
export type Kernel = {
  readonly version: string;
  /** The kernel as QEMU boots it: one that does not unpack itself is compressed by gzip, which QEMU undoes. */
  readonly image: string;
  /** A tree with `usr/lib/modules/<version>`: the wanted modules, decompressed, and indexes for modprobe. */
  readonly modules: string;
  /** Paths in that tree of the modules that the initramfs loads, in order. */
  readonly early: readonly string[];
  /** The board's device tree, where the machine does not make one itself. */
  readonly deviceTree?: string | undefined;
};

const write = async (root: string, { path: name, type, content }: TreeEntry): Promise<void> => {
  if (type !== 'file') return;
  const target = path.join(root, name);
  await fs.mkdir(path.dirname(target), { recursive: true });
  await fs.writeFile(target, content);
};

const depmod = async (root: string, version: string, tools: Tools, signal: AbortSignal | undefined): Promise<void> => {
  const program = tools.program('usr/bin/kmod', 'depmod');
  const args = [...program.args, '-b', root, '-m', '/usr/lib/modules', version];
  await execa(program.file, args, signal ? { cancelSignal: signal } : {});
};

const kernelFile = ({ unpacksItself }: KernelSelection): string => (unpacksItself ? 'kernel' : 'kernel.gz');

const unpack = async (
  file: string,
  wanted: KernelSelection,
  target: string,
  tools: Tools,
  signal: AbortSignal | undefined,
): Promise<void> => {
  const [all, chosen] = [path.join(target, 'all'), path.join(target, 'modules')];
  let version = '';
  const isPart = (name: string): boolean =>
    /^(boot\/vmlinuz|usr\/lib\/modules)/.test(name) ||
    (wanted.deviceTree !== undefined && name.endsWith(wanted.deviceTree));
  for await (const entry of packageTree(file, isPart)) {
    if (entry.path.startsWith('boot/vmlinuz-')) {
      const bytes = wanted.unpacksItself ? entry.content : gzipSync(entry.content, { level: 9 });
      await fs.writeFile(path.join(target, kernelFile(wanted)), bytes);
      version = entry.path.slice('boot/vmlinuz-'.length);
    } else if (/\.dtb$/.test(entry.path)) await fs.writeFile(path.join(target, 'board.dtb'), entry.content);
    else await write(all, entry);
  }
  if (version === '') throw new Error(`${file} has no kernel in it`);
  await depmod(all, version, tools, signal);
  const folder = path.join('usr/lib/modules', version);
  const index = (name: string) => fs.readFile(path.join(all, folder, name), 'utf8');
  const dependencies = parseDependencies(await index('modules.dep'));
  const builtin = new Set((await index('modules.builtin')).split('\n').map(nameOf));
  const early = moduleClosure(dependencies, builtin, wanted.early);
  for (const name of new Set([...early, ...moduleClosure(dependencies, builtin, wanted.modules)])) {
    const source = createReadStream(path.join(all, folder, name));
    const unpacked = path.join(chosen, folder, name.replace(/\.xz$/, ''));
    await fs.mkdir(path.dirname(unpacked), { recursive: true });
    await fs.writeFile(unpacked, await buffer(name.endsWith('.xz') ? unxz(source) : source));
  }
  for (const name of ['modules.builtin', 'modules.builtin.modinfo', 'modules.order'])
    await fs.copyFile(path.join(all, folder, name), path.join(chosen, folder, name));
  await depmod(chosen, version, tools, signal);
  const paths = early.map((name) => path.join(folder, name.replace(/\.xz$/, '')));
  await fs.writeFile(path.join(target, 'kernel.json'), JSON.stringify({ version, early: paths }));
  await fs.rm(all, { recursive: true });
};

/** What an image has of a kernel package. */
export type KernelSelection = {
  /** Modules that stand between the kernel and its root file system. */
  readonly early: readonly string[];
  /** All others. */
  readonly modules: readonly string[];
  /** How the path of the board's device tree ends in the package. */
  readonly deviceTree?: string;
  /** Set where the package's kernel is a program that unpacks itself, as on x86: it is taken as it is. */
  readonly unpacksItself?: true;
};

const About = Type.Object({ version: Type.String(), early: Type.Array(Type.String()) });

/** A kernel package's image and the wanted of its modules, unpacked into the cache on first use. */
export const unpackKernel = async (
  kernelPackage: { readonly file: string; readonly sha256: string },
  wanted: KernelSelection,
  tools: Tools,
  signal?: AbortSignal,
): Promise<Kernel> => {
  const key = sha256(JSON.stringify([kernelPackage.sha256, tools.digest, wanted]));
  const folder = await cached(
    cachePath('kernels', key.slice(0, 16)),
    async (temporary) => {
      await emptyFolder(temporary);
      await unpack(kernelPackage.file, wanted, temporary, tools, signal);
    },
    { signal },
  );
  const about = parseJson(About, await fs.readFile(path.join(folder, 'kernel.json'), 'utf8'), 'kernel.json');
  return {
    ...about,
    image: path.join(folder, kernelFile(wanted)),
    modules: path.join(folder, 'modules'),
    ...(wanted.deviceTree === undefined ? {} : { deviceTree: path.join(folder, 'board.dtb') }),
  };
};
