import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { ExposedPort, Machine } from '../../machine/machine.ts';
import { labFault, messageOf } from '../../system/errors.ts';

type Port = Pick<ExposedPort, 'port' | 'protocol'>;

const nameOf = ({ port, protocol }: Port): string => `${port}/${protocol}`;

/** Where to listen for an address: there, or everywhere when another computer has it, which passes on what it gets. */
const listenAddress = async (address: string): Promise<string> => {
  const socket = createSocket('udp4').bind({ address, port: 0 });
  try {
    await once(socket, 'listening');
    return address;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRNOTAVAIL') return '0.0.0.0';
    throw error;
  } finally {
    socket.close();
  }
};

/** Ports of a board that other computers reach by an address of this one; it ends when it is disposed of. */
export class Exposure implements AsyncDisposable {
  readonly #machine: Machine;
  readonly #address: string;
  readonly #opened = new Map<string, AsyncDisposable>();
  readonly #problems = new Map<string, string>();

  /** Use {@link openExposure}. */
  constructor(machine: Machine, address: string) {
    this.#machine = machine;
    this.#address = address;
  }

  /** An address of this computer at which the ports are open. */
  get here(): string {
    return this.#address === '0.0.0.0' ? '127.0.0.1' : this.#address;
  }

  /** Each port that is meant to be open, with the reason where it is not. */
  get ports(): readonly { readonly port: string; readonly problem?: string }[] {
    return [
      ...[...this.#opened.keys()].map((port) => ({ port })),
      ...[...this.#problems].map(([port, problem]) => ({ port, problem })),
    ];
  }

  /** Whether a port that is meant to be open is not. */
  get hasProblems(): boolean {
    return this.#problems.size > 0;
  }

  /** Opens a port. Throws a lab fault that says why it cannot be had. */
  async open({ port, protocol }: Port): Promise<void> {
    if (this.#machine.expose === undefined)
      throw labFault(`${this.#machine.name} has no way to networks outside of this computer`);
    const opened = await this.#machine.expose({ address: this.#address, port, protocol });
    this.#opened.set(nameOf({ port, protocol }), opened);
  }

  /**
   * Has exactly the ports `wanted` open, beside those of `always`. One that cannot be had is a problem of that port alone,
   * which may be tried again.
   */
  async become(wanted: readonly Port[], always: readonly Port[]): Promise<void> {
    const all = new Map([...always, ...wanted].map((one) => [nameOf(one), one]));
    for (const [name, opened] of [...this.#opened]) {
      if (all.has(name)) continue;
      this.#opened.delete(name);
      await opened[Symbol.asyncDispose]();
    }
    this.#problems.clear();
    for (const [name, one] of all)
      if (!this.#opened.has(name))
        await this.open(one).catch((error: unknown) => this.#problems.set(name, messageOf(error)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.become([], []);
  }
}

/** Opens no port yet. `address` is what other computers reach this one by. */
export const openExposure = async (machine: Machine, address: string): Promise<Exposure> =>
  new Exposure(machine, await listenAddress(address));
