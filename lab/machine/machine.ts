import type { Fidelity, Input } from '../report/model/results.ts';
import type { Architecture } from '../system/elf.ts';
import type { ExecResult } from '../system/process.ts';

/** What a scenario may ask of a machine. */
export type Capability =
  | 'bridge'
  | 'veth'
  | 'nft'
  | 'ipv6'
  | 'serve'
  | 'port-forward'
  /** Rates, CPU per request and memory are figures here, not artefacts of emulation. */
  | 'performance';

/** What every machine can do so far: whatever a worker needs for a network. */
export const networkCapabilities = ['bridge', 'veth', 'nft', 'ipv6', 'serve', 'port-forward'] as const;

/**
 * How the board and the lab reach each other. A worker on the board finds the lab's servers at `lab`, at the same ports;
 * the lab binds them to `bind` on this computer.
 */
export type Uplink = { readonly board: string; readonly lab: string; readonly bind: string };

export type ExecOptions = {
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** How its output is read: as text, or one byte a character. UTF-8 when left out. */
  readonly encoding?: 'utf8' | 'latin1';
};

/** Where on this computer a port of the board is reached. */
export type Endpoint = { readonly host: string; readonly port: number };

/** A port of the board, which has the same number on this computer, on one of its addresses. */
export type ExposedPort = { readonly address: string; readonly port: number; readonly protocol: 'tcp' | 'udp' };

/** How an emulated board came to run: from power-on, or from a saved boot. */
export type MachineStart = 'booted' | 'restored';

/** A text that a machine leaves behind, such as its console. */
export type MachineLog = { readonly name: string; readonly read: () => Promise<string> };

/**
 * A running board. It is where a worker runs, whatever it is made of: an emulator, namespaces on this computer, or
 * hardware at the end of an ssh connection. Disposing of it ends it and everything in it.
 */
export type Machine = AsyncDisposable & {
  readonly name: string;
  readonly architecture: Architecture;
  readonly accelerator: string;
  readonly fidelity: Fidelity;
  readonly capabilities: ReadonlySet<Capability>;
  readonly uplink: Uplink;
  /** How much longer than on native hardware things may take here: deadlines are multiplied by it. */
  readonly timeoutFactor: number;
  /** What it is made of, by digest. */
  readonly inputs: readonly Input[];
  /** The version of the wasmtime that the worker starts. */
  readonly wasmtimeVersion: string;
  /** How it came to run, where that is not always the same. */
  readonly start?: MachineStart;
  /** The emulator's command line, where there is one. */
  readonly command?: readonly string[];
  /** Digests of the components that lie on it compiled ahead of time, where no further one can be put there. */
  readonly precompiled?: ReadonlySet<string>;
  readonly logs: readonly MachineLog[];
  /** Aborted, with the reason, when the machine ends by itself. */
  readonly lost: AbortSignal;

  /** Runs a program on the board to its end. Rejects when the machine is gone or `signal` is aborted. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** Writes a file as root, making the folders that it needs. */
  writeFile(path: string, content: string | Uint8Array, mode?: number): Promise<void>;
  /** A file's bytes. Rejects when there is none. */
  readFile(path: string): Promise<Buffer>;
  /** What it is and how it is right now, as far as that may matter to a figure: temperature, clock, storage … */
  readonly condition?: () => Promise<Readonly<Record<string, string>>>;

  /** How many instructions it has executed since it was switched on, where they are counted. */
  readonly instructions?: () => number;

  /** Lets the machine go on when this process ends. Nothing else may be asked of it afterwards. */
  release(): void;
  /** Makes a TCP port of the board reachable from this computer. */
  forward(boardPort: number, signal?: AbortSignal): Promise<Endpoint>;
  /**
   * Makes a port of the board reachable from other computers, until it is disposed of; left out where the board has no
   * way to networks outside of this computer. Throws a lab fault that says why a port cannot be had.
   */
  readonly expose?: (port: ExposedPort) => Promise<AsyncDisposable>;
  /** Makes a TCP port that the lab listens on at `uplink.bind` reachable from the board, where that takes anything. */
  readonly publish?: (labPort: number) => Promise<void>;
};

/** Runs a program on the board that has to succeed. Throws with what it printed when it does not. */
export const execOk = async (machine: Machine, argv: readonly string[], options?: ExecOptions): Promise<string> => {
  const { code, stdout, stderr } = await machine.exec(argv, options);
  if (code !== 0) throw new Error(`'${argv.join(' ')}' on the board ended with ${code}: ${(stderr || stdout).trim()}`);
  return stdout;
};
