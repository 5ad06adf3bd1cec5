import { labFault } from '../../../system/errors.ts';
import type { Machine } from '../../machine.ts';
import { onlyIfOwner } from '../board-lock.ts';
import { directAddress } from '../connect.ts';
import type { HardwareDefinition } from '../definition.ts';
import type { BoardProbe } from '../probe.ts';
import type { BoardShell } from '../ssh/board-shell.ts';
import type { Connection } from '../ssh/connection.ts';
import { Relay } from '../ssh/relay.ts';
import { borrowInstalled } from './installed.ts';
import { packPayload } from './payload.ts';
import { firewallRemedy, openSandbox, sandboxLink } from './sandbox.ts';

/** A board that was connected to, looked at and locked; `stack` takes what has to be undone there. */
export type Site = {
  readonly name: string;
  readonly definition: HardwareDefinition;
  readonly connection: Connection;
  readonly board: BoardShell;
  readonly probe: BoardProbe;
  /** This run as the board's lock has it. */
  readonly owner: string;
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
  /** Makes a port of this computer's loopback device reachable there. */
  readonly publish: (port: number) => Promise<void>;
  /** Where this computer reaches the board's ports by itself. */
  readonly direct?: string | undefined;
};

/** The worker as it is installed on the board. The lab's address is one of the board's own, where instances reach it. */
export const installedPlace = async ({
  name,
  definition,
  connection,
  board,
  probe,
  owner,
  stack,
  lose,
}: Site): Promise<Place> => {
  const { wasmtimeVersion, inputs } = stack.use(await borrowInstalled(name, board, owner));
  const lab = sandboxLink.outside;
  const address = [`${lab}/32`, 'dev', 'lo'];
  await board.exec(['ip', 'address', 'delete', ...address]);
  await board.script(`${name} takes no address`, 'exec ip address add "$@"', address);
  const giveBack = `${onlyIfOwner}; shift; ip address delete "$@" 2>/dev/null; true`;
  stack.defer(() =>
    board.script(`${name} keeps an address of the lab's`, giveBack, [owner, ...address]).then(() => {}),
  );
  const relay = stack.use(new Relay(connection, board, lab, lose));
  const direct = await directAddress(definition, probe);
  const publish = (port: number) => relay.publish(port);
  return { ...{ wasmtimeVersion, inputs, lab, publish, direct }, shell: board, board: lab, ports: '127.0.0.1' };
};

/** Succeeds where a connection to an address and a port can be made. */
const tryScript = `
const [host, port] = process.argv.slice(1);
require('node:net').connect({ host, port, timeout: 10000 })
  .on('connect', () => process.exit(0)).on('timeout', () => process.exit(1)).on('error', () => process.exit(1));
`;

/** A worker that is carried over to the board, in namespaces of its own. */
export const carriedPlace = async (
  { name, definition, connection, board, owner, stack, lose }: Site,
  wasmtime: string | undefined,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<Place> => {
  const payload = await packPayload(name, definition.architecture ?? 'aarch64', wasmtime, signal);
  const sandbox = stack.use(await openSandbox(name, board, owner, payload, say, signal));
  const { outside: lab, inside } = sandboxLink;
  const relay = stack.use(new Relay(connection, sandbox.outside, lab, lose));
  const publish = async (port: number) => {
    await relay.publish(port);
    const { code } = await sandbox.shell.exec(['node', '-e', tryScript, lab, String(port)]);
    if (code !== 0)
      throw labFault(
        `the worker cannot reach the lab: a firewall on ${name} drops what comes in by ${sandboxLink.name}`,
        [`there: ${firewallRemedy}`],
      );
  };
  const { wasmtimeVersion, inputs } = payload;
  return { ...{ wasmtimeVersion, inputs, lab, publish }, shell: sandbox.shell, board: inside, ports: inside };
};
