import Type from 'typebox';
import { parse } from '../../../../worker/contract/check.ts';
import { until } from '../../../system/wait.ts';
import { runState } from '../emulator.ts';
import type { JsonChannel } from '../json-channel.ts';

const Progress = Type.Object({ status: Type.Optional(Type.String()), 'error-desc': Type.Optional(Type.String()) });

/** Bytes a second, so that nothing is held back: what is written goes to a file, not to a network. */
const bandwidth = 1e11;

/** A file as an end of a migration (QEMU: qapi/migration.json, MigrationAddress). */
const fileChannel = (filename: string) => ({
  channels: [{ 'channel-type': 'main', addr: { transport: 'file', filename, offset: 0 } }],
});

/**
 * Migrates by `command` and resolves when that is done. The file is a plain stream, in which empty pages take no space:
 * with a place for every page (mapped-ram) it would not be read sooner, and have 13 times as many bytes to check.
 */
const migrate = async (
  monitor: Pick<JsonChannel, 'request'>,
  command: 'migrate' | 'migrate-incoming',
  file: string,
  signal: AbortSignal,
): Promise<void> => {
  await monitor.request('migrate-set-parameters', { 'max-bandwidth': bandwidth }, signal);
  await monitor.request(command, fileChannel(file), signal);
  await until(async () => {
    const answer = await monitor.request('query-migrate', {}, signal);
    const { status, 'error-desc': why = 'no reason was given' } = parse(Progress, answer, "answer to 'query-migrate'");
    if (status === 'failed') throw new Error(`QEMU could not ${command}: ${why}`);
    return status === 'completed' || undefined;
  }, signal);
};

/**
 * Writes a guest's state to a file. Meanwhile the guest stands still; afterwards it goes on, also where `signal` aborts
 * before the file is written: `goesOn` limits how long that takes.
 */
export const saveState = async (
  monitor: Pick<JsonChannel, 'request'>,
  file: string,
  signal: AbortSignal,
  goesOn: () => AbortSignal,
): Promise<void> => {
  await monitor.request('stop', {}, signal);
  try {
    await migrate(monitor, 'migrate', file, signal);
  } catch (error) {
    await monitor.request('migrate_cancel', {}, goesOn());
    throw error;
  } finally {
    await monitor.request('cont', {}, goesOn());
  }
};

/** Loads a guest's state into an emulator that was started with `-incoming defer`, and lets it go on. */
export const loadState = async (monitor: JsonChannel, file: string, signal: AbortSignal): Promise<void> => {
  await migrate(monitor, 'migrate-incoming', file, signal);
  // it stood still when it was saved
  if ((await runState(monitor, signal)) !== 'running') await monitor.request('cont', {}, signal);
};
