import type { CheckResult } from '../../system/check-result.ts';
import { LabError, messageOf } from '../../system/errors.ts';
import { openRun, type RunFolder } from '../../system/runs.ts';
import { checksOf } from './checks.ts';
import { openConsole } from './console.ts';
import type { HardwareDefinition, MachineDefinition } from './definition.ts';
import { probeBoard } from './hardware.ts';
import { placeOf, resolveBoard } from './resolve.ts';
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

const checkSerial = async (source: NonNullable<HardwareDefinition['serial']>): Promise<CheckResult> => {
  const device = typeof source === 'string' ? source : `${source.host}:${source.port}`;
  try {
    await using _ = await openConsole(
      source,
      () => {},
      () => {},
    );
    return { name: 'serial console', ok: true, detail: `${device} opens` };
  } catch (error) {
    return unmet('serial console', error);
  }
};

/** What a board shows that ssh reaches. */
const examineReached = async (
  name: string,
  definition: HardwareDefinition,
  run: RunFolder,
  signal: AbortSignal,
): Promise<readonly CheckResult[]> => {
  const serial = definition.serial === undefined ? [] : [await checkSerial(definition.serial)];
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

/** What there is to say about a board before anything is run on it. Nothing is changed there. */
export const examineHardware = async (
  name: string,
  machine: MachineDefinition,
  signal: AbortSignal,
): Promise<readonly CheckResult[]> => {
  await using run = await openRun(`a look at ${name}`);
  const remarks: string[] = [];
  const note = (text: string) => void remarks.push(text);
  const gone = new AbortController();
  const lost = (reason: Error) => gone.abort(reason);
  try {
    const { labgrid } = machine;
    // who looks wants to know at once that the place is in use
    const definition = typeof labgrid === 'object' ? { ...machine, labgrid: { ...labgrid, wait: 0 } } : machine;
    const place = await resolveBoard({ definition, run, say: () => {}, note, lost, signal });
    await using _ = place;
    const found = await examineReached(name, place.definition, run, AbortSignal.any([signal, gone.signal]));
    if (place.definition.place === undefined) return found;
    const detail = `${placeOf(machine)} is free: ${[`it is ${place.definition.place}`, ...remarks].join('; ')}`;
    return [{ name: 'labgrid', ok: true, detail }, ...found];
  } catch (error) {
    signal.throwIfAborted();
    return [unmet('labgrid', error)];
  }
};
