import type { Machine } from '../../../../lab/machine/machine.ts';
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

/** A running emulated board, in a run of its own that ends with it. It is booted unless `fresh` is false. */
export const boot = async (
  {
    machine: name = 'virt',
    fresh = true,
    note = () => {},
    ...options
  }: {
    readonly machine?: string;
    readonly qemu?: string;
    readonly fresh?: boolean;
    readonly note?: (text: string) => void;
  } = {},
  signal: AbortSignal = never,
): Promise<AsyncDisposable & { readonly machine: Machine; readonly folder: string; readonly id: string }> => {
  await using stack = new AsyncDisposableStack();
  const prepared = await machineKind(name).prepare({ ...options, fresh }, () => {}, never);
  const run = stack.use(await openRun('a test'));
  const machine = stack.use(await prepared.start(run, signal, note));
  const resources = stack.move();
  return { machine, folder: run.folder, id: run.id, [Symbol.asyncDispose]: () => resources.disposeAsync() };
};
