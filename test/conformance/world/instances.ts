import { readdir, readFile, readlink } from 'node:fs/promises';
import type { Deployment, DeploymentSpec } from '../../../lab/cluster/deployment.ts';
import { deadline } from '../../../lab/system/wait.ts';
import type { JobStatus } from '../../../worker/contract/job.ts';
import { run } from '../../support/network.ts';
import { service, task, type World } from './world.ts';

const waitMs = 30_000;

/** What the greeting component answers. */
export const hello = 'Hello, wasi:http/proxy world!\n';

const component = new URL('../../../fixtures/hello-wasi-http/hello-wasi-http.wasm', import.meta.url);

export const greeting = (): Promise<Buffer> => readFile(component);

/** A limit for one wait on a deployment. */
export const patience = (): AbortSignal => deadline(waitMs, 'the deployment');

/** Sends an instance of the greeting to the worker, with what a fact changes of its job. */
export const send = async ({ cluster }: World, spec: Partial<DeploymentSpec> = {}): Promise<Deployment> => {
  const image = spec.image ?? cluster.offer('hello.wasm', await greeting());
  return cluster.deploy({ service, instance: 0, memory: 100, ...spec, image });
};

/** Sends an instance and waits until the worker says CREATED. */
export const create = async (world: World, spec: Partial<DeploymentSpec> = {}): Promise<Deployment> => {
  const deployment = await send(world, spec);
  await deployment.status('CREATED', patience());
  return deployment;
};

/** The instances that a resource report names. */
export const named = (report: Record<string, unknown>): readonly unknown[] =>
  (report['services'] as readonly Record<string, unknown>[]).map((entry) => entry['instance']);

/** The entry of an instance in the next resource report that has one. */
export const reportOf = async ({ cluster }: World, instance = 0): Promise<Record<string, unknown>> => {
  const report = await cluster.next('jobs/resources', (message) => named(message).includes(instance));
  const entries = report['services'] as readonly Record<string, unknown>[];
  return entries.find((entry) => entry['instance'] === instance) ?? {};
};

/** Process ids, as the lab sees them, of all processes in an instance's network namespace. */
export const processesOf = async ({ board }: World, instance = 0): Promise<readonly number[]> => {
  const namespace = (await run(...board.inside(task(instance)), 'readlink', '/proc/self/ns/net')).trim();
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => ((await readlink(`/proc/${pid}/ns/net`).catch(() => '')) === namespace ? [pid] : [])),
  );
  return found.flat().map(Number);
};

/** Kills an instance. What only looks into its namespace, as the worker may, can end before it is killed. */
export const killInstance = async (world: World, instance = 0): Promise<void> => {
  for (const pid of await processesOf(world, instance)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
};

/** The first message with a status word about an instance. */
export const status = ({ cluster }: World, word: JobStatus, instance = 0): Promise<Record<string, unknown>> =>
  cluster.until(`status ${word}`, () =>
    cluster.heard('job').find((job) => job['status'] === word && job['instance'] === instance),
  );

/** The message that an instance failed, whether in its deployment or after it. */
export const ended = ({ cluster }: World, instance: number): Promise<Record<string, unknown>> =>
  cluster.until(`the end of instance ${instance}`, () =>
    cluster
      .heard('job')
      .find((job) => job['instance'] === instance && (job['status'] === 'DEAD' || job['status'] === 'FAILED')),
  );
