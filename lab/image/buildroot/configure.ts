import fs from 'node:fs/promises';
import path from 'node:path';
import Type, { type Static } from 'typebox';
import { parseJson } from '../../../worker/contract/check.ts';
import { LabError, labFault, messageOf, usageFault } from '../../system/errors.ts';
import { writeAtomically } from '../../system/files/cache.ts';
import type { Runner } from './make.ts';
import { builtFiles } from './output.ts';
import type { StandIns } from './standins.ts';

/** What Buildroot says about a package (`make show-info`), as far as the lab wants to know. */
const PackageFacts = Type.Object({
  type: Type.String(),
  version: Type.Optional(Type.String()),
  dl_dir: Type.Optional(Type.String()),
  stamp_dir: Type.Optional(Type.String()),
  downloads: Type.Optional(Type.Array(Type.Object({ source: Type.String() }))),
});
type PackageFacts = Static<typeof PackageFacts>;
const PackageList = Type.Record(Type.String(), PackageFacts);
type Packages = Readonly<Record<string, PackageFacts>>;

/** A configuration's packages, and Buildroot's own document about them. */
export type ListedPackages = { readonly text: string; readonly packages: Packages };

// the lab keeps the compiler's results for the next build
const ownLines = 'BR2_CCACHE=y\n';

/** Configures an output folder from a defconfig, with stand-ins on top. */
export const configure = async (
  output: string,
  defconfig: string,
  { fragment, localMk }: StandIns,
  { make }: Runner,
): Promise<void> => {
  const base = await fs.readFile(defconfig, 'utf8').catch((error: unknown) => {
    throw usageFault(`the defconfig cannot be read: ${messageOf(error)}`);
  });
  const file = path.join(output, builtFiles.defconfig);
  await writeAtomically(file, `${base}${ownLines}${fragment}`);
  await writeAtomically(path.join(output, 'local.mk'), localMk);
  await make('-s', `BR2_DEFCONFIG=${file}`, 'defconfig');
};

/** The packages of a configured output. */
export const listPackages = async ({ make }: Runner): Promise<ListedPackages> => {
  const text = await make('-s', '--no-print-directory', 'show-info');
  return { text, packages: parseJson(PackageList, text, "Buildroot's list of packages") };
};

/** Those packages that an earlier build has not finished. */
export const unfinishedPackages = async (output: string, packages: Packages): Promise<readonly string[]> => {
  const names: string[] = [];
  for (const [name, { type, stamp_dir }] of Object.entries(packages)) {
    if (type === 'rootfs' || stamp_dir === undefined) continue;
    const isDone = await fs.access(path.join(output, stamp_dir, '.stamp_installed')).then(
      () => true,
      () => false,
    );
    if (!isDone) names.push(name);
  }
  return names;
};

/** What to throw when Buildroot refused what it was asked; the user's own mistakes stay as they are. */
export const configurationFault = (error: unknown): LabError =>
  error instanceof LabError
    ? error
    : labFault(`Buildroot does not take the configuration: ${messageOf(error)}`, [], error);
