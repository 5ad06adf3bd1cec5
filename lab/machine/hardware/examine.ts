import type { CheckResult } from '../../system/check-result.ts';
import { LabError, messageOf } from '../../system/errors.ts';
import { openRun } from '../../system/runs.ts';
import { checksOf } from './checks.ts';
import { openConsole } from './console.ts';
import type { HardwareDefinition } from './definition.ts';
import { probeBoard } from './hardware.ts';
import { BoardShell } from './ssh/board-shell.ts';
import { Connection } from './ssh/connection.ts';
import { tryConnection } from './trial.ts';

const unmet = (name: string, error: unknown): CheckResult => {
  const next = error instanceof LabError ? error.next : [];
  return {
    name,
    ok: false,
    detail: messageOf(error),
    ...(next.length > 0 ? { remedy: next.join('\n    ') } : {}),
  };
};

const checkSerial = async (device: string): Promise<CheckResult> => {
  try {
    await using _ = await openConsole(
      device,
      () => {},
      () => {},
    );
    return { name: 'serial console', ok: true, detail: `${device} opens` };
  } catch (error) {
    return unmet('serial console', error);
  }
};

/** What there is to say about a board before anything is run on it. Nothing is changed there. */
export const examineHardware = async (
  name: string,
  definition: HardwareDefinition,
  signal: AbortSignal,
): Promise<readonly CheckResult[]> => {
  const serial = definition.serial === undefined ? [] : [await checkSerial(definition.serial)];
  await using run = await openRun(`a look at ${name}`);
  try {
    await using connection = await Connection.open({ name, definition, run }, signal);
    const board = new BoardShell(connection, run);
    const tried = await tryConnection(connection, board, signal);
    const probe = await probeBoard(board, signal);
    const reached = { name: 'ssh', ok: true, detail: `${definition.ssh} answers` };
    return [reached, ...tried, ...serial, ...checksOf(probe, definition)];
  } catch (error) {
    signal.throwIfAborted();
    return [unmet('ssh', error), ...serial];
  }
};
