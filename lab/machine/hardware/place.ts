import type { Machine } from '../machine.ts';
import type { BoardShell } from './board-shell.ts';
import { chamberLink, openChamber } from './chamber.ts';
import { directAddress } from './connect.ts';
import type { Connection } from './connection.ts';
import type { HardwareDefinition } from './definition.ts';
import { borrowInstalled } from './installed.ts';
import { pack } from './luggage.ts';
import { Relay } from './relay.ts';
import type { Survey } from './survey.ts';

/** A board that was connected to, looked at and locked; `stack` takes what has to be undone there. */
export type Site = {
  readonly name: string;
  readonly definition: HardwareDefinition;
  readonly connection: Connection;
  readonly board: BoardShell;
  readonly survey: Survey;
  readonly stack: AsyncDisposableStack;
  /** Gives the board up. */
  readonly lose: (reason: Error) => void;
};

/** Where the worker of a run is, and how it and the lab reach each other. */
export type Place = Pick<Machine, 'wasmtimeVersion' | 'inputs'> & {
  readonly shell: BoardShell;
  /** The lab's address there, and the one that it is reached from. */
  readonly lab: string;
  readonly board: string;
  /** Where the board's ports are, as its ssh server sees it. */
  readonly ports: string;
  readonly relay: Relay;
  /** Where this computer reaches the board's ports by itself. */
  readonly direct?: string | undefined;
};

/** The worker as it is installed on the board. The lab's address is one of the board's own, where instances reach it. */
export const installedPlace = async ({
  name,
  definition,
  connection,
  board,
  survey,
  stack,
  lose,
}: Site): Promise<Place> => {
  const { wasmtimeVersion, inputs } = stack.use(await borrowInstalled(name, board));
  const lab = chamberLink.outside;
  const address = [`${lab}/32`, 'dev', 'lo'];
  await board.exec(['ip', 'address', 'delete', ...address]);
  await board.script(`${name} takes no address`, 'exec ip address add "$@"', address);
  stack.defer(() => board.exec(['ip', 'address', 'delete', ...address]).then(() => {}));
  const relay = stack.use(new Relay(connection, board, lab, lose));
  const direct = await directAddress(definition, survey);
  return { ...{ wasmtimeVersion, inputs, lab, relay, direct }, shell: board, board: lab, ports: '127.0.0.1' };
};

/** A worker that is carried over to the board, in namespaces of its own. */
export const carriedPlace = async (
  { name, definition, connection, board, stack, lose }: Site,
  wasmtime: string | undefined,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<Place> => {
  const luggage = await pack(name, definition.architecture ?? 'aarch64', wasmtime, signal);
  const chamber = stack.use(await openChamber(name, board, luggage, say, signal));
  const { outside: lab, inside } = chamberLink;
  const relay = stack.use(new Relay(connection, chamber.outside, lab, lose));
  const { wasmtimeVersion, inputs } = luggage;
  return { ...{ wasmtimeVersion, inputs, lab, relay }, shell: chamber.shell, board: inside, ports: inside };
};
