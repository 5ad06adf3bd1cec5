import { existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { DeployRequest } from '../contract/job.ts';
import { taskId } from '../contract/names.ts';
import type { Log } from '../system/log.ts';
import type { Artifact, ArtifactCache } from './artifacts.ts';
import { planRun, type RunPlan } from './command.ts';
import { explain } from './explain.ts';
import type { Journal } from './journal.ts';
import { LaunchError, launch, launchWords, markVariable, type Running, stop } from './launch.ts';
import { type Addresses, type NetClient, NetworkError } from './net-client.ts';
import { firstResponse, started } from './readiness.ts';
import { tail } from './tail.ts';
import type { UndoStack } from './undo.ts';
import { findPrecompiled, type Program, type Wasmtime } from './wasmtime.ts';

/** What a deployment needs of the node. */
export type Node = {
  readonly network: NetClient | undefined;
  readonly artifacts: ArtifactCache;
  readonly wasmtime: Wasmtime;
  readonly journal: Journal;
  readonly log: Log;
  /** Folder of the instances' output. */
  readonly logs: string;
  /** Folder of native code that root has put there. */
  readonly precompiled: string;
};

/** A running instance, with what is worth telling about how it runs. */
export type Deployed = { readonly running: Running; readonly notes: readonly string[] };

/** Where network namespaces have their names (ip-netns(8)). */
const namespaces = '/run/netns';

/** The file that holds an instance's output. */
export const logFile = (node: Node, task: string): string => join(node.logs, task);

/** Puts the removal of an instance's network on `undo`. */
export const undoNetwork = (job: DeployRequest, network: NetClient, undo: UndoStack): void => {
  undo.push('the network', () => network.undeploy(job.job_name, job.instance_number));
};

const makeNetwork = async (job: DeployRequest, network: NetClient, undo: UndoStack): Promise<Addresses> => {
  const remove = () => undoNetwork(job, network, undo);
  try {
    const addresses = await network.deploy(job.job_name, job.instance_number, job.port ?? '');
    remove();
    return addresses;
  } catch (error) {
    if (!(error instanceof NetworkError && error.refused)) remove();
    throw error;
  }
};

/** Network and component side by side. Both have settled when this returns or throws, so that undoing sees it all. */
const prepare = async (
  job: DeployRequest,
  node: Node,
  network: NetClient,
  undo: UndoStack,
  signal: AbortSignal,
): Promise<readonly [Addresses, Artifact]> => {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const watch = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  };
  const work = [watch(makeNetwork(job, network, undo)), watch(node.artifacts.fetch(job.image, either))] as const;
  await Promise.allSettled(work);
  failed.signal.throwIfAborted();
  return Promise.all(work);
};

const start = async (
  task: string,
  plan: RunPlan,
  program: Program,
  address: string,
  node: Node,
  undo: UndoStack,
  signal: AbortSignal,
): Promise<Deployed> => {
  const output = logFile(node, task);
  const words = launchWords(join(namespaces, task), node.wasmtime, plan, program);
  const running = await launch(words, { ...plan.environment, [markVariable]: node.journal.file(task) }, output);
  undo.push('the process', () => stop(running));
  try {
    if (plan.port === undefined) {
      await started(running, basename(node.wasmtime.path), signal);
      return { running, notes: plan.notes };
    }
    const status = await firstResponse(running, address, plan.port, signal);
    const note = status >= 500 ? [`the first response had status ${status}`] : [];
    return { running, notes: [...plan.notes, ...note] };
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    const said = (await tail(output, 1024)).trim();
    throw new LaunchError(said === '' ? error.message : `${error.message}: ${said}`, { cause: error.cause });
  }
};

/** Keeps the output of the instance that had this name before. */
const makeLog = async (node: Node, task: string): Promise<void> => {
  await mkdir(node.logs, { recursive: true });
  const file = logFile(node, task);
  if (existsSync(file)) await rename(file, `${file}.1`);
};

/**
 * Brings up one instance: network and component, then the process in its namespace, then one real HTTP response. What
 * was done is on `undo`, whether this succeeds or not. Rejects with an error whose message a person understands.
 */
export const deployInstance = async (
  job: DeployRequest,
  node: Node,
  undo: UndoStack,
  signal: AbortSignal,
): Promise<Deployed> => {
  if (node.network === undefined)
    throw new NetworkError('networking is switched off: set overlay_network in conf.json', true);
  const task = taskId(job.job_name, job.instance_number);
  undo.push('the journal', () => node.journal.remove(task));
  await Promise.all([node.journal.put({ job, ready: false }), makeLog(node, task)]);
  const [addresses, artifact] = await prepare(job, node, node.network, undo, signal);
  const plan = planRun(job, artifact.info);
  const { v4: address } = addresses;
  const native = await findPrecompiled(node.precompiled, artifact, node.wasmtime.version, node.log);
  const portable: Program = { file: artifact.file, precompiled: false };
  let deployed: Deployed;
  try {
    deployed = await start(task, plan, native ?? portable, address, node, undo, signal);
  } catch (error) {
    if (native === undefined || !(error instanceof LaunchError)) throw error;
    const note = `precompiled code was refused, compiled anew (${explain(error)})`;
    node.log.warn(`${task}: ${note}`);
    deployed = await start(task, { ...plan, notes: [...plan.notes, note] }, portable, address, node, undo, signal);
  }
  await node.journal.put({ job, ready: true });
  return deployed;
};
