import { readdir, readFile } from 'node:fs/promises';
import { killAll } from '../../../support/kill-all.ts';
import { until } from './until.ts';

export const service = 'app.appns.svc.svcns';
/** What the fixture answers, as `fetchText` gives it. */
export const hello = '200 Hello, wasi:http/proxy world!\n';

/** A job document as a cluster sends it. */
export const job = (image: string, more: Record<string, unknown> = {}) => ({
  job_name: service,
  instance_number: 0,
  image,
  virtualization: 'wasm',
  port: '8080:80',
  memory: 100,
  vcpus: 1,
  cmd: null,
  environment: [],
  ...more,
});

/** The pids of the instances of the engine that keeps its state in `folder`, or of what else carries a mark of it. */
export const processes = async (folder: string, mark = 'OAKESTRA_INSTANCE'): Promise<readonly string[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const environments = await Promise.all(
    pids.map(async (pid) => [pid, await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')] as const),
  );
  return environments.filter(([, text]) => text.includes(`${mark}=${folder}`)).map(([pid]) => pid);
};

/**
 * Kills the instances of an engine that has ended and waits until nothing of them is there: who writes the output of
 * one renames files until the last of it is written.
 */
export const endProcesses = async (folder: string): Promise<void> => {
  const gone = async () => {
    killAll([...(await processes(folder)), ...(await processes(folder, 'OAKESTRA_NAMESPACE'))]);
    const marks = ['OAKESTRA_INSTANCE', 'OAKESTRA_NAMESPACE', 'OAKESTRA_OUTPUT'];
    return (await Promise.all(marks.map((mark) => processes(folder, mark)))).flat().length === 0;
  };
  await until(gone, 'end of all processes', AbortSignal.timeout(60_000));
};
