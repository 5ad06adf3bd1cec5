import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { parse } from '../../worker/contract/check.ts';
import { reportFormats } from './format-list.ts';
import type { LogText } from './html/section.ts';
import { percentileTable } from './model/latency.ts';
import { Results } from './model/results.ts';
import type { Shard, SuiteEntry } from './model/suite.ts';

/** A further file of a report: a log, a transcript, a packet capture. */
export type ExtraFile = { readonly name: string; readonly content: string | Uint8Array };

/** Text that any file system takes as one name. */
const fileName = (text: string): string => text.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[.-]+/, '') || 'unnamed';

const unique = (): string => `.${randomUUID()}`;

const writeWhole = async (path: string, content: string | Uint8Array): Promise<void> => {
  const temporary = `${path}${unique()}`;
  try {
    await writeFile(temporary, content);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
};

/** How much of a log's end stands in report.html. */
const logTailBytes = 64 * 1024;

const readTail = async (path: string): Promise<string> => {
  await using file = await open(path);
  const { size } = await file.stat();
  const length = Math.min(size, logTailBytes);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
  return `${size > length ? '…\n' : ''}${buffer.subarray(0, bytesRead).toString()}`;
};

/** The ends of the logs that the results name, as far as they lie in the report's folder and can be read. */
const readLogs = async (directory: string, { run }: Results): Promise<readonly LogText[]> => {
  const inside = run.logs.filter(({ file }) => !relative(directory, join(directory, file)).startsWith('..'));
  const texts = await Promise.allSettled(inside.map(({ file }) => readTail(join(directory, file))));
  return inside.flatMap(({ name }, i) => {
    const text = texts[i];
    return text?.status === 'fulfilled' ? [{ name, text: text.value }] : [];
  });
};

/** Every file that is made from the results and their logs. */
const filesOf = (results: Results, logs: readonly LogText[]): readonly ExtraFile[] => [
  ...results.run.latencies.map((latency) => ({
    name: `latency-${fileName(latency.name)}.hgrm`,
    content: percentileTable(latency),
  })),
  ...reportFormats.map(({ run: { file, write } }) => ({ name: file, content: write(results, logs) })),
];

const pointLatestTo = async (directory: string): Promise<void> => {
  const latest = join(dirname(directory), 'latest');
  const temporary = `${latest}${unique()}`;
  await symlink(basename(directory), temporary);
  try {
    await rename(temporary, latest);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
};

/**
 * Writes a run's report into `directory`, which may hold logs already, and points `latest` beside it there. Each file
 * appears whole or not at all, `results.json` last. Throws InvalidData, with nothing written, when `results` do not
 * fit their schema.
 */
export const writeReport = async (
  directory: string,
  results: Results,
  extras: readonly ExtraFile[] = [],
): Promise<void> => {
  parse(Results, results, 'the results of this run');
  await mkdir(directory, { recursive: true });
  const extraFiles = extras.map(({ name, content }) => ({ name: fileName(name), content }));
  for (const { name, content } of extraFiles) await writeWhole(join(directory, name), content);
  const logs = await readLogs(directory, results);
  for (const { name, content } of filesOf(results, logs)) await writeWhole(join(directory, name), content);
  await pointLatestTo(directory);
};

/** Writes a suite's report into `directory`, or that of a shard of it: every format, `suite.json` last. */
export const writeSuite = async (directory: string, entries: readonly SuiteEntry[], shard?: Shard): Promise<void> => {
  await mkdir(directory, { recursive: true });
  for (const { suite } of reportFormats) await writeWhole(join(directory, suite.file), suite.write(entries, shard));
};
