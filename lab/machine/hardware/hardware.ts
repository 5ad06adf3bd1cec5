import type { CheckResult } from '../../system/check-result.ts';
import { firstOf, labFault, messageOf } from '../../system/errors.ts';
import { freePort } from '../../system/ports.ts';
import type { RunFolder } from '../../system/runs.ts';
import { type Capability, type Endpoint, type Machine, networkCapabilities } from '../machine.ts';
import { lockBoard, ownerOf } from './board-lock.ts';
import { checksOf, hasWorker } from './checks.ts';
import { connectTo, listens } from './connect.ts';
import { openConsole } from './console.ts';
import type { MachineDefinition } from './definition.ts';
import { type BoardProbe, conditionOf, isEmulated, parseProbe, probeScript, throttling } from './probe.ts';
import { resolveBoard } from './resolve.ts';
import { BoardShell } from './ssh/board-shell.ts';
import { tryConnection } from './trial.ts';
import { restoreInstalled } from './worker/installed.ts';
import { carriedPlace, installedPlace, type Site } from './worker/place.ts';
import { endSandbox } from './worker/sandbox.ts';

/** An emulated board that stands for a real one is slow; a real one may be busy. */
const slowness = { emulated: 20, hardware: 2 } as const;

/** What a board at the end of an ssh connection can do. */
export const hardwareCapabilities: ReadonlySet<Capability> = new Set([...networkCapabilities, 'performance']);

export type HardwareOptions = {
  readonly name: string;
  readonly definition: MachineDefinition;
  readonly run: RunFolder;
  /** A wasmtime for a board that has no worker of its own. */
  readonly wasmtime?: string | undefined;
  /** Told how far the start has come. */
  readonly say: (text: string) => void;
  /** Told what a person has to know about the board. */
  readonly note: (text: string) => void;
  readonly signal: AbortSignal;
};

/** Looks at a board. */
export const probeBoard = async (shell: BoardShell, signal?: AbortSignal): Promise<BoardProbe> =>
  parseProbe(await shell.script('the board cannot be looked at', probeScript, [], signal ? { signal } : {}));

/** Throws a lab fault for the first thing that makes a run impossible. */
const requireChecks = (board: string, results: readonly CheckResult[]): void => {
  const failed = results.find(({ fatal }) => fatal);
  if (!failed) return;
  const { name, detail, remedy } = failed;
  throw labFault(`${board} cannot be used, ${name}: ${detail}`, remedy === undefined ? [] : [remedy]);
};

/**
 * Makes a real board a machine for one run: locks it, puts the worker of the run in place, and puts everything back
 * when it is disposed of. Throws a lab fault, with the board left as it was, when that is not possible.
 */
export const startHardware = (options: HardwareOptions): Promise<Machine> =>
  start(options).catch((error: unknown) => {
    const first = firstOf(error);
    if (first !== error) options.note(`${options.name} could not be put back as it was: the next run does that`);
    throw first;
  });

const start = async (options: HardwareOptions): Promise<Machine> => {
  const { name, run, say, note, signal } = options;
  await using stack = new AsyncDisposableStack();
  const lost = new AbortController();
  const lose = (reason: Error) => lost.abort(reason);
  const { definition } = stack.use(await resolveBoard({ ...options, lost: lose }));
  const { serial: source } = definition;
  const serial = source === undefined ? undefined : stack.use(await openConsole(source, note, lose));
  const connection = stack.use(await connectTo(name, definition, run, note, signal));
  connection.lost.addEventListener('abort', () => lose(connection.lost.reason), { once: true });
  const board = new BoardShell(connection, run);
  requireChecks(name, await tryConnection(connection, board, signal));
  const owner = ownerOf(run.id);
  stack.use(await lockBoard(name, board, owner, lose));
  // first, for what a killed run left takes memory and room, too
  await endSandbox(name, board, owner);
  await restoreInstalled(name, board, owner);
  const probe = await probeBoard(board, signal);
  requireChecks(name, checksOf(probe, definition));
  const site: Site = { name, definition, connection, board, probe, owner, stack, lose };
  const place = hasWorker(probe) ? await installedPlace(site) : await carriedPlace(site, options.wasmtime, say, signal);
  const complaints = throttling(probe);
  if (complaints.length > 0)
    note(`${name} complains since it was started (${complaints.join(', ')}): start it anew for figures that count`);
  const resources = stack.move();

  let before = probe;
  const fidelity = isEmulated(probe) ? 'emulated' : 'hardware';
  const { shell } = place;
  const forward = async (port: number, ends?: AbortSignal): Promise<Endpoint> => {
    const { direct } = place;
    if (direct !== undefined && (await listens(direct, port))) return { host: direct, port };
    note('requests from the lab go through ssh: its encryption is in their times');
    return freePort('127.0.0.1', async (local) => {
      await connection.forward('-L', `127.0.0.1:${local}:${place.ports}:${port}`, ends);
      return { host: '127.0.0.1', port: local };
    });
  };
  return {
    name,
    architecture: definition.architecture ?? 'aarch64',
    accelerator: 'none',
    fidelity,
    capabilities: hardwareCapabilities,
    uplink: { board: place.board, lab: place.lab, bind: '127.0.0.1' },
    timeoutFactor: slowness[fidelity],
    inputs: place.inputs,
    wasmtimeVersion: place.wasmtimeVersion,
    logs: serial ? [serial.log] : [],
    lost: lost.signal,
    exec: (argv, execOptions) => shell.exec(argv, execOptions),
    writeFile: (file, content, mode = 0o644) => shell.writeFile(file, content, mode),
    readFile: (file) => shell.readFile(file),
    release: () => {
      throw new Error(`${name} is restored after each run: it cannot be kept running`);
    },
    forward,
    publish: place.publish,
    condition: async () => {
      const now = await probeBoard(board);
      const fresh = throttling(now).filter((words) => !throttling(before).includes(words));
      if (fresh.length > 0) note(`this run was throttled, and its figures do not count: ${fresh.join(', ')}`);
      before = now;
      return { ...conditionOf(now), ...(definition.place === undefined ? {} : { place: definition.place }) };
    },
    [Symbol.asyncDispose]: async () => {
      try {
        await resources.disposeAsync();
      } catch (error) {
        const why = lost.signal.aborted ? '' : ` (${messageOf(error)})`;
        note(`${name} could not be put back as it was${why}: the next run does that`);
      }
    },
  };
};
