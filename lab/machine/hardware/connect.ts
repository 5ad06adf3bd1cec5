import dns from 'node:dns/promises';
import net from 'node:net';
import { type ExecaError, execa } from 'execa';
import { labFault, messageOf } from '../../system/errors.ts';
import type { RunFolder } from '../../system/runs.ts';
import { deadline, until } from '../../system/wait.ts';
import { destinationOf, type HardwareDefinition } from './definition.ts';
import type { BoardProbe } from './probe.ts';
import { Connection } from './ssh/connection.ts';
import { NoConnection } from './ssh/ssh.ts';

const powerMs = 60_000;
const bootMs = 180_000;
const directMs = 2_000;

/** Takes the board's power away and gives it back, by the user's own command or what the board's place has for it. */
const cyclePower = async (power: NonNullable<HardwareDefinition['powerCycle']>, signal: AbortSignal): Promise<void> => {
  const cancelSignal = deadline(powerMs, 'the power command', signal);
  if ('cycle' in power) return await power.cycle(cancelSignal);
  const [file = '', ...args] = power;
  await execa(file, args, { stdin: 'ignore', cancelSignal }).catch((error: unknown) => {
    signal.throwIfAborted();
    // without its arguments: one may be a switch's password
    const { exitCode, code } = error as ExecaError;
    const why = exitCode === undefined ? (code ?? 'it was ended by a signal') : `it ended with ${exitCode}`;
    throw labFault(`the power command of the machine file failed: ${file}: ${why}`);
  });
};

/** Connects to a board; one that does not answer and whose power can be cycled is started again first. */
export const connectTo = async (
  name: string,
  definition: HardwareDefinition,
  run: RunFolder,
  note: (text: string) => void,
  signal: AbortSignal,
): Promise<Connection> => {
  let trouble: NoConnection | undefined;
  const attempt = () =>
    Connection.open({ name, definition, run }, signal).catch((error: unknown) => {
      if (!(error instanceof NoConnection) || !error.mayPass) throw error;
      trouble = error;
      return undefined;
    });
  const first = await attempt();
  if (first) return first;
  if (!definition.powerCycle) throw trouble;
  note(`${trouble?.message}: its power was taken away and given back`);
  await cyclePower(definition.powerCycle, signal);
  return until(attempt, deadline(bootMs, 'the board after its power came back', signal)).catch((error: unknown) => {
    signal.throwIfAborted();
    throw labFault(`${name} is not reachable after the power cycle (${messageOf(error)})`, trouble?.next, trouble);
  });
};

/**
 * The address at which this computer reaches the board's ports without ssh: the one that the board itself sees in the
 * connection, provided that ssh went to the very same one and nothing stands between.
 */
export const directAddress = async (definition: HardwareDefinition, probe: BoardProbe): Promise<string | undefined> => {
  const { port, target } = destinationOf(definition);
  const { stdout } = await execa('ssh', ['-G', ...port, '--', target], { stdin: 'ignore', reject: false });
  const setting = (name: string) => new RegExp(`^${name} (.+)$`, 'm').exec(stdout)?.[1];
  const [, , address = '', seenPort] = (probe.get('connection') ?? '').split(' ');
  if (seenPort !== setting('port') || /^(127\.|::1$)/.test(address)) return undefined;
  const found = await dns.lookup(setting('hostname') ?? '', { all: true }).catch(() => []);
  return found.some((one) => one.address === address) ? address : undefined;
};

/** True when something listens there. */
export const listens = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect({ host, port, timeout: directMs });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
