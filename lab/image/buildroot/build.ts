import fs from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import Type, { type Static } from 'typebox';
import { buildWorker } from '../../../scripts/build-worker.ts';
import { parseJson } from '../../../worker/contract/check.ts';
import type { Input } from '../../report/results.ts';
import { cachePath, emptyFolder, writeWhole } from '../../system/cache.ts';
import { fileDigest } from '../../system/digest.ts';
import { labFault, messageOf } from '../../system/errors.ts';
import { acquireLock } from '../../system/pid-lock.mjs';
import {
  type BuildrootBoard,
  buildrootBoards,
  builtFiles,
  externalTree,
  outputFolder,
  type Provenance,
} from './output.ts';
import { BuildProgress } from './progress.ts';
import { readStandIns, type StandIns } from './standins.ts';
import { type BuildrootTree, provideTree } from './tree.ts';

export type BuildOptions = {
  readonly board: BuildrootBoard;
  /** A Buildroot tree of the user's own. */
  readonly tree?: string | undefined;
  /** A pinned release; the newest when left out. */
  readonly version?: string | undefined;
  /** A folder with what takes the place of sources that cannot be reached. */
  readonly standIns?: string | undefined;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
};

const PackageFacts = Type.Object({
  version: Type.Optional(Type.String()),
  dl_dir: Type.Optional(Type.String()),
  downloads: Type.Optional(Type.Array(Type.Object({ source: Type.String() }))),
});
type PackageFacts = Static<typeof PackageFacts>;
const PackageList = Type.Record(Type.String(), PackageFacts);

const makeRunner = (tree: BuildrootTree, output: string, signal: AbortSignal) => {
  const downloads = process.env['BR2_DL_DIR'] ?? cachePath('buildroot', 'downloads');
  const mirror = process.env['BR2_PRIMARY_SITE'];
  const variables = [
    `O=${output}`,
    `BR2_EXTERNAL=${externalTree}`,
    `BR2_DL_DIR=${downloads}`,
    ...(mirror === undefined ? [] : [`BR2_PRIMARY_SITE=${mirror}`]),
  ];
  return {
    downloads,
    make: (...args: readonly string[]) =>
      execa('make', ['-C', tree.folder, ...variables, ...args], {
        cancelSignal: signal,
        stdin: 'ignore',
        all: true,
        maxBuffer: 64 * 1024 * 1024,
      }),
  };
};
type Runner = ReturnType<typeof makeRunner>;

const configure = async (output: string, board: BuildrootBoard, standIns: StandIns, { make }: Runner) => {
  const base = await fs.readFile(path.join(externalTree, 'configs', buildrootBoards[board]), 'utf8');
  const defconfig = path.join(output, builtFiles.defconfig);
  await writeWhole(defconfig, `${base}${standIns.fragment}`);
  await writeWhole(path.join(output, 'local.mk'), standIns.localMk);
  await make('-s', `BR2_DEFCONFIG=${defconfig}`, 'defconfig');
};

/** Runs the build; every package's output goes to a log of its own. */
const runMake = async (output: string, total: number, { make }: Runner, { say, signal }: BuildOptions) => {
  const logs = await emptyFolder(path.join(output, builtFiles.logs));
  const logOf = (name: string) => path.join(logs, `${name}.log`);
  const progress = new BuildProgress(total);
  // Buildroot does not notice when a local source changes
  const build = make('oakestra-worker-rebuild', 'all');
  try {
    for await (const line of build.iterable({ from: 'all' })) {
      const news = progress.take(line);
      if (news !== undefined) say(news);
      await fs.appendFile(logOf(progress.package), `${line}\n`);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw labFault(progress.failure(), [`less ${logOf(progress.package)}`], error);
  }
};

/** What the packages were made from: downloads by digest, everything else by what takes its place. */
const sourcesOf = async (packages: Readonly<Record<string, PackageFacts>>, downloads: string): Promise<Input[]> => {
  const sources: Input[] = [];
  for (const [name, { version, dl_dir, downloads: files = [] }] of Object.entries(packages)) {
    for (const { source } of files) {
      const file = path.join(downloads, dl_dir ?? name, source);
      const sha256 = await fileDigest(file).catch(() => undefined);
      if (sha256 !== undefined)
        sources.push({ name: `source ${name}`, sha256, detail: source, ...(version ? { version } : {}) });
    }
  }
  return sources;
};

/**
 * Builds a board's image with Buildroot in the cache, going on from what an earlier build left, and says where its
 * output is. Throws a lab fault with the failing package, command and last lines.
 */
export const buildWithBuildroot = async (options: BuildOptions): Promise<string> => {
  const { board, say, signal } = options;
  const output = outputFolder(board);
  await fs.mkdir(output, { recursive: true });
  const release = await acquireLock(`${output}.lock`, { signal });
  try {
    say('Buildroot tree');
    const tree = await provideTree(options, signal);
    const standIns = await readStandIns(options.standIns);
    const runner = makeRunner(tree, output, signal);
    say('configuration');
    await buildWorker(path.join(externalTree, '../dist/worker'));
    const list = await configure(output, board, standIns, runner)
      .then(() => runner.make('-s', '--no-print-directory', 'show-info'))
      .catch((error: unknown) => {
        signal.throwIfAborted();
        throw labFault(`Buildroot does not take the configuration: ${messageOf(error)}`, [], error);
      });
    const packages = parseJson(PackageList, list.stdout, "Buildroot's list of packages");
    await runMake(output, Object.keys(packages).length, runner, options);
    const provenance: Provenance = {
      buildroot: tree.version,
      board,
      inputs: [
        { name: 'buildroot', version: tree.version, detail: tree.pinned ? 'pinned by commit' : 'a tree of the user' },
        ...standIns.inputs,
        ...(await sourcesOf(packages, runner.downloads)),
      ],
    };
    await writeWhole(path.join(output, builtFiles.packages), list.stdout);
    await writeWhole(path.join(output, builtFiles.provenance), `${JSON.stringify(provenance, undefined, 2)}\n`);
    return output;
  } finally {
    release();
  }
};
