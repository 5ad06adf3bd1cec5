import type { Segment } from '../../machine/segment/segment.ts';
import type { Board } from '../scenario.ts';
import type { Emit } from '../targets/events.ts';
import { boardTarget } from '../targets/targets.ts';
import type { RunBoard } from './run-board.ts';
import { lastingChanges, snapshotAtRest } from './snapshot.ts';

/** A board as a scenario has it; `signal` ends what it does there. */
export const scenarioBoard = (
  board: RunBoard,
  segment: Segment | undefined,
  emit: Emit,
  note: (text: string) => void,
  signal: AbortSignal,
): Board => {
  const { machine, name, address } = board;
  return {
    ...boardTarget(machine, emit, signal, name),
    name: name ?? 'board',
    machine,
    address,
    snapshot: () => snapshotAtRest(machine, signal),
    changes: (before) => lastingChanges(before, machine, signal, note),
    forward: (boardPort) => machine.forward(boardPort, signal),
    link: async (conditions) => {
      if (segment === undefined || name === undefined) throw new Error('a board that is alone has no link to others');
      return await segment.change(name, conditions);
    },
    powerOff: () => board.powerOff(),
  };
};
