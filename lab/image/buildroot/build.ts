import fs from 'node:fs/promises';
import path from 'node:path';
import { labFault } from '../../system/errors.ts';
import { emptyFolder } from '../../system/files/cache.ts';
import { acquireLock } from '../../system/files/file-lock.mjs';
import { buildWorker } from '../worker-bundle.ts';
import { type BuildHost, localBuildHost } from './build-host.ts';
import { configurationFault, configure, listPackages, unfinishedPackages } from './configure.ts';
import { checkEngine, checkHostTools } from './host.ts';
import { makeRunner, type Runner, sharedFolders } from './make.ts';
import {
  type BuildrootBoard,
  buildrootBoards,
  builtFiles,
  externalTree,
  imageFile,
  outputFolder,
  workerBundle,
} from './output.ts';
import { BuildProgress } from './progress.ts';
import { recordBuild } from './record.ts';
import { readStandIns, type StandIns } from './standins.ts';
import { type BuildrootTree, provideTree } from './tree.ts';

export type BuildOptions = {
  readonly board: BuildrootBoard;
  /** A Buildroot tree of the user's own. */
  readonly tree?: string | undefined;
  /** A pinned release; the newest when left out. */
  readonly version?: string | undefined;
  /** A defconfig in place of the board's. */
  readonly defconfig?: string | undefined;
  /** The user edits the configuration before it is used. */
  readonly menuconfig?: boolean | undefined;
  /** A file that the configuration is written to; nothing is built then. */
  readonly savedefconfig?: string | undefined;
  /** A folder with what takes the place of sources that cannot be reached. */
  readonly standIns?: string | undefined;
  /** Builds in a container, and not with this computer's own tools. */
  readonly container?: boolean | undefined;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
};

/**
 * Takes an earlier image away. An emulator that has its card open keeps the file: Buildroot would write the new card
 * into that one. A build that fails leaves no image that is made of two.
 */
const removeImage = async (output: string): Promise<void> => {
  for (const file of [path.join(output, builtFiles.provenance), imageFile(output, 'sdcard.img')])
    await fs.rm(file, { force: true });
};

/** What is built anew every time: Buildroot does not notice when a local source changes. */
const worker = 'oakestra-worker';

/** Runs the build; every package's output goes to a log of its own. */
const runMake = async (output: string, packages: readonly string[], { follow }: Runner, options: BuildOptions) => {
  const { say, signal } = options;
  const logs = await emptyFolder(path.join(output, builtFiles.logs));
  const logOf = (name: string) => path.join(logs, `${name}.log`);
  const progress = new BuildProgress([...new Set([worker, ...packages])]);
  const began = performance.now();
  const build = follow(`${worker}-rebuild`, 'all');
  try {
    for await (const line of build) {
      const news = progress.take(line, performance.now() - began);
      if (news !== undefined) say(news);
      await fs.appendFile(logOf(progress.package), `${line}\n`);
    }
  } catch {
    signal.throwIfAborted();
    // the error itself would say all that the build printed once more
    throw labFault(progress.failure(), [`less ${logOf(progress.package)}`]);
  }
};

/** Brings the output folder to the configuration that the user asked for. */
const applyConfiguration = async (output: string, standIns: StandIns, runner: Runner, options: BuildOptions) => {
  const { board, defconfig, menuconfig, savedefconfig } = options;
  const file = defconfig ?? path.join(externalTree, 'configs', buildrootBoards[board]);
  await configure(output, file, standIns, runner);
  if (menuconfig) await runner.interact('menuconfig');
  if (savedefconfig === undefined) return;
  // a container sees the output folder, and not the user's own
  const saved = path.join(output, builtFiles.savedDefconfig);
  await runner.make('-s', `BR2_DEFCONFIG=${saved}`, 'savedefconfig');
  await fs.copyFile(saved, savedefconfig);
};

const openBuildHost = async (
  output: string,
  tree: BuildrootTree,
  { container, standIns, say, signal }: BuildOptions,
): Promise<BuildHost> => {
  if (!container) return localBuildHost(signal);
  const { downloads, ccache } = sharedFolders();
  const read = [tree.folder, externalTree, workerBundle, ...(standIns === undefined ? [] : [path.resolve(standIns)])];
  // its library takes long to load
  const { openBuildContainer } = await import('./container/container.ts');
  return openBuildContainer({ read, written: [output, downloads, ccache] }, say, signal);
};

/**
 * Builds a board's image with Buildroot in the cache, going on from what an earlier build left, and says where its
 * output is. Throws a lab fault with the failing package, command and last lines.
 */
export const buildWithBuildroot = async (options: BuildOptions): Promise<string> => {
  const { board, container, say, signal } = options;
  if (container) await checkEngine();
  else checkHostTools();
  const output = outputFolder(board);
  await fs.mkdir(output, { recursive: true });
  const release = await acquireLock(`${output}.lock`, { signal });
  try {
    say('Buildroot tree');
    const tree = await provideTree(options, signal);
    const standIns = await readStandIns(options.standIns);
    await buildWorker(workerBundle);
    await using buildHost = await openBuildHost(output, tree, options);
    const runner = makeRunner(tree, output, buildHost);
    say('configuration');
    const list = await applyConfiguration(output, standIns, runner, options)
      .then(() => listPackages(runner))
      .catch((error: unknown) => {
        signal.throwIfAborted();
        throw configurationFault(error);
      });
    if (options.savedefconfig !== undefined) return output;
    await removeImage(output);
    await runMake(output, await unfinishedPackages(output, list.packages), runner, options);
    const { downloads } = sharedFolders();
    await recordBuild({ output, board, tree, standIns, buildHost: buildHost.inputs, list, downloads });
    return output;
  } finally {
    release();
  }
};
