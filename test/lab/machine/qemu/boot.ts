import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AcceleratorChoice } from '../../../../lab/machine/kind.ts';
import { execOk, type Machine } from '../../../../lab/machine/machine.ts';
import { machineKind } from '../../../../lab/machine/machines.ts';
import { messageOf } from '../../../../lab/system/errors.ts';
import { openRun } from '../../../../lab/system/runs.ts';

const never = new AbortController().signal;

/** Why a machine cannot be started here (no way to its parts), or false. */
export const noMachine = async (name = 'virt'): Promise<string | false> =>
  machineKind(name)
    .prepare({}, () => {}, AbortSignal.timeout(280_000))
    .then(
      () => false,
      (error: unknown) => `no image: ${messageOf(error)}`,
    );

/** A running board in QEMU, in a run of its own that ends with it. It is booted unless `fresh` is false, and emulated. */
export const boot = async (
  {
    machine: name = 'virt',
    fresh = true,
    accel = 'tcg',
    note = () => {},
    ...options
  }: {
    readonly machine?: string;
    readonly qemu?: string;
    readonly fresh?: boolean;
    readonly accel?: AcceleratorChoice;
    readonly note?: (text: string) => void;
  } = {},
  signal: AbortSignal = never,
): Promise<AsyncDisposable & { readonly machine: Machine; readonly folder: string; readonly id: string }> => {
  await using stack = new AsyncDisposableStack();
  const prepared = await machineKind(name).prepare({ ...options, fresh, accel }, () => {}, never);
  const run = stack.use(await openRun('a test'));
  const machine = stack.use(await prepared.start(run, signal, note));
  const resources = stack.move();
  return { machine, folder: run.folder, id: run.id, [Symbol.asyncDispose]: () => resources.disposeAsync() };
};

/** What a board gets of a server on this computer that answers with a text. */
export const askFromBoard = async (machine: Machine, text: string): Promise<string> => {
  const { bind, lab } = machine.uplink;
  await using server = http.createServer((_request, response) => response.end(text)).listen(0, bind);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return await execOk(machine, ['curl', '-s', `http://${lab}:${port}/`]);
};
