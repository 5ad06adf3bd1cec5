import type { DeployRequest } from '../../contract/job.ts';
import { taskId } from '../../contract/names.ts';
import { explain } from '../../system/explain.ts';
import { userOf } from '../../system/users.ts';
import type { Artifact } from '../artifacts/artifacts.ts';
import { keepFilter } from '../process/filter.ts';
import {
  EarlyExit,
  LaunchError,
  launch,
  launchArgv,
  launchRecorded,
  markVariable,
  type Running,
  stop,
} from '../process/launch.ts';
import { newLog } from '../process/log-folder.ts';
import { ownLimits } from '../process/own-limits.ts';
import { withLastLines } from '../process/tail.ts';
import type { Program, RunPlan, Runtime } from '../runtime/runtime.ts';
import { startHolder, stopHolder } from './network/holder.ts';
import { type Attachment, type NetClient, NetworkError } from './network/net-client.ts';
import { logFile, type Node } from './node.ts';
import { firstResponse, started } from './readiness.ts';
import type { UndoStack } from './undo.ts';

/** A running instance, with what is worth telling about how it runs. */
type Deployed = { readonly running: Running; readonly address: string; readonly notes: readonly string[] };

/** One deployment on its way. What was done is on `undo`. */
type Deployment = {
  readonly job: DeployRequest;
  readonly task: string;
  readonly node: Node;
  readonly network: NetClient;
  readonly undo: UndoStack;
  readonly signal: AbortSignal;
};

/** Puts the removal of an instance's network on `undo`. */
export const undoNetwork = (job: DeployRequest, network: NetClient, undo: UndoStack): void => {
  undo.push('the network', (signal) => network.undeploy(job.job_name, job.instance_number, signal));
};

const makeNetwork = async ({ job, task, node, network, undo, signal }: Deployment): Promise<Attachment> => {
  const hold = async () => {
    const holder = await startHolder(node.journal.file(task), node.runtime.user);
    undo.push('the namespace', () => stopHolder(holder));
    return holder;
  };
  const { job_name: service, instance_number: instance, port: ports = '' } = job;
  try {
    const attachment = await network.deploy({ service, instance, ports: ports ?? '', hold }, signal);
    undoNetwork(job, network, undo);
    return attachment;
  } catch (error) {
    if (!(error instanceof NetworkError) || error.outcome === 'unknown') undoNetwork(job, network, undo);
    throw error;
  }
};

const getComponent = async ({ node, job, undo }: Deployment, signal: AbortSignal): Promise<Artifact> => {
  const artifact = await node.artifacts.fetch(job.image, signal);
  undo.push('the component', async () => node.artifacts.release(artifact));
  return artifact;
};

/** Network and component side by side. Both have settled when this returns or throws, so that undoing sees it all. */
const prepare = async (deployment: Deployment): Promise<readonly [Attachment, Artifact]> => {
  const { signal } = deployment;
  const failed = new AbortController();
  const watch = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  };
  const either = AbortSignal.any([signal, failed.signal]);
  const work = [watch(makeNetwork(deployment)), watch(getComponent(deployment, either))] as const;
  await Promise.allSettled(work);
  failed.signal.throwIfAborted();
  return Promise.all(work);
};

/** Waits until the process is of use; resolves with what is worth telling. */
const ready = async (
  { node, task, signal }: Deployment,
  running: Running,
  plan: RunPlan,
  program: Program,
  address: string,
): Promise<readonly string[]> => {
  try {
    if (plan.port === undefined) {
      await started(running, program, node.runtime, signal);
      return [];
    }
    const status = await firstResponse(running, node.runtime, address, plan.port, signal);
    return status >= 500 ? [`the first response had status ${status}`] : [];
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    const Kind = error instanceof EarlyExit ? EarlyExit : LaunchError;
    throw new Kind(await withLastLines(error.message, logFile(node, task)), { cause: error.cause });
  }
};

const start = async (
  deployment: Deployment,
  plan: RunPlan,
  program: Program,
  attachment: Attachment,
): Promise<Deployed> => {
  const { job, node, task, undo } = deployment;
  const group = await node.groups?.create(task, job);
  if (group !== undefined) undo.push('the control group', group.remove);
  await keepFilter(node.filter);
  const limits = ownLimits(job, plan, program, node.groups, node.runtime, node.filter);
  const user = userOf(node.runtime, attachment.v4);
  const argv = launchArgv(attachment.namespace, node.runtime, user, plan, program, limits);
  const environment = { ...plan.environment, [markVariable]: node.journal.file(task) };
  const log = logFile(node, task);
  const running = await (job.one_shot === true
    ? launchRecorded(argv, environment, log, node.journal.record(task))
    : launch(argv, environment, log));
  undo.push('the process', () => stop(running));
  await group?.enter(running.id.pid);
  const notes = await ready(deployment, running, plan, program, attachment.v4);
  return { running, address: attachment.v4, notes: [...plan.notes, ...limits.notes, ...notes] };
};

/** The most that is told of why a component could not be compiled, in characters: compilers quote what they are given. */
const maxReason = 1000;

/** How a process ends whose native code this processor cannot run. */
const crash = / was ended by SIG(?:ILL|SEGV|BUS)\b/;

/**
 * True when a start failed for its native code: the runtime does not take it, or a service crashed on it. What ends for
 * another reason would end so a second time, and a command may have done its work in part.
 */
const isRefusal = (error: unknown, plan: RunPlan, native: Program, { refusesCode }: Runtime): boolean =>
  error instanceof EarlyExit &&
  (refusesCode(error.message, native) || (plan.port !== undefined && crash.test(error.message)));

/** Starts native code when there is some, and the component itself when there is none or the runtime refuses it. */
const startBest = async (deployment: Deployment, artifact: Artifact, attachment: Attachment): Promise<Deployed> => {
  const { job, node, signal, task } = deployment;
  const plan = await node.runtime.plan(job, artifact.info, node.serving);
  const startPortable = (...notes: readonly string[]): Promise<Deployed> => {
    for (const note of notes) node.log.warn(`${task}: ${note}`);
    const portable: Program = { file: artifact.file, precompiled: false };
    return start(deployment, { ...plan, notes: [...plan.notes, ...notes] }, portable, attachment);
  };
  let native: Program | undefined;
  try {
    native = await node.native.program(artifact, signal);
  } catch (error) {
    signal.throwIfAborted();
    return startPortable(`not compiled ahead of time (${explain(error).slice(0, maxReason)})`);
  }
  if (native === undefined) return startPortable();
  try {
    return await start(deployment, plan, native, attachment);
  } catch (error) {
    if (!isRefusal(error, plan, native, node.runtime)) throw error;
    const deployed = await startPortable(`precompiled code was refused, compiled anew (${explain(error)})`);
    await node.native.discard(native);
    return deployed;
  }
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
  const { network } = node;
  if (network === undefined)
    throw new NetworkError('networking is switched off: set overlay_network in conf.json', 'refused');
  const task = taskId(job.job_name, job.instance_number);
  const deployment: Deployment = { job, task, node, network, undo, signal };
  await newLog(node.logs, task, node.log);
  const [attachment, artifact] = await prepare(deployment);
  return startBest(deployment, artifact, attachment);
};
