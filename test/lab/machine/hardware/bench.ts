import fs from 'node:fs/promises';
import type { Test } from 'tap';
import { hostKeyFile, saveMachine } from '../../../../lab/machine/hardware/definition.ts';
import { until } from '../../../../lab/system/wait.ts';
import { type LabEnded, labWorld } from '../../../support/lab.ts';
import { printedResults } from '../../../support/report.ts';
import { withoutSsh } from '../../../support/ssh.ts';
import { noNamespaces } from '../../../support/user-namespace.ts';
import { type Computer, startComputer } from './computer.ts';

/** Why there is no such computer here. */
export const skip =
  noNamespaces('--user', '--map-root-user', '--net', '--mount', '--pid', '--fork') ?? withoutSsh() ?? false;

/** What there is on a computer that a run could leave behind. */
export const traces = async ({ look }: Computer): Promise<string> => {
  const files = await look('find', '/run', '/var', '/tmp', '-xdev', '-not', '-path', '/run/mount*');
  return [files, await look('ip', '-brief', 'address'), await look('ps', '-e', '-o', 'args=')].join('\n');
};

/**
 * Resolves when no process runs on a computer that did not run when `before` was recorded, or after some time: of a
 * connection that was closed the server's end goes last.
 */
export const quiet = async (computer: Computer, before: string): Promise<void> => {
  const isQuiet = async () => {
    const running = (await computer.look('ps', '-e', '-o', 'args=')).split('\n');
    return running.every((line) => before.includes(line)) || undefined;
  };
  await until(isQuiet, AbortSignal.timeout(60_000)).catch(() => undefined);
};

/** What there is on a computer on which nothing runs any more that did not run before. */
export const tracesAfter = async (computer: Computer, before: string): Promise<string> => {
  await quiet(computer, before);
  return await traces(computer);
};

/** A computer under the name `bench`, and a lab of its own. */
export const bench = async (t: Test, worker?: readonly string[]) => {
  const stack = new AsyncDisposableStack();
  t.teardown(() => stack.disposeAsync());
  const world = stack.use(await labWorld());
  const computer = stack.use(await startComputer(world.temporary, worker));
  await fs.rm(hostKeyFile('bench'), { force: true });
  saveMachine('bench', computer.definition);
  const options = ['--machine', 'bench', '--duration', '1', '--json', '--reports', world.reports];
  return { world, computer, scenario: (name: string) => ['scenario', name, ...options] };
};

/** Expects of a run that the lab was at fault, and said why. */
export const failsAsLab = (t: Test, { code, stdout, stderr }: LabEnded, message: RegExp): void => {
  t.equal(code, 3, { stderr });
  t.match(printedResults(stdout).results, { verdict: 'error', run: { failure: { message } } });
};
