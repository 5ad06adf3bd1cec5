import { readDeployAnswer } from '../../contract/net-http.ts';
import type { Log } from '../../system/log.ts';
import { postJson } from '../artifacts/http.ts';
import { explain } from '../explain.ts';
import type { NetTarget } from '../settings.ts';
import { deadline, retry } from '../wait.ts';

/** The addresses of an instance, without prefix lengths. */
export type Addresses = { readonly v4: string; readonly v6: string };

/**
 * NetManager did not do what it was asked; the message holds its reason. `refused` is false when no answer came: then
 * nobody knows whether it was done.
 */
export class NetworkError extends Error {
  override readonly name = 'NetworkError';
  readonly refused: boolean;
  constructor(message: string, refused: boolean, options?: ErrorOptions) {
    super(message, options);
    this.refused = refused;
  }
}

const answerMs = 30_000;

/** How long a NetManager that does not answer, because it is being restarted perhaps, is asked again. */
const insistMs = { deploy: 60_000, undeploy: 120_000 } as const;
const insisting = { first: 100, growth: 1.5, most: 3000 };

type Action = keyof typeof insistMs;

type Answer = { readonly status: number; readonly text: string };

const accepted = ({ status, text }: Answer, what: string): string => {
  if (status !== 200) throw new NetworkError(`NetManager refused ${what} with ${status}: ${text.trim()}`, true);
  return text;
};

/** Speaks to NetManager (contract, section 4). */
export class NetClient {
  readonly #target: NetTarget;
  readonly #log: Log;
  /** How instances are called in the paths: "unikernel" with a NetManager that knows no "wasm". */
  #kind: 'wasm' | 'unikernel' = 'wasm';
  readonly #registered = Promise.withResolvers<void>();
  #registering = new AbortController();
  #registration: { readonly client_id: string; readonly cluster_address: string } | undefined;

  constructor(target: NetTarget, log: Log) {
    this.#target = target;
    this.#log = log;
  }

  /** Resolves once NetManager has agreed to a registration. */
  get registered(): Promise<void> {
    return this.#registered.promise;
  }

  /** A request is never broken off but by its time limit: only its answer tells what has to be undone. */
  async #post(path: string, data: unknown): Promise<Answer> {
    try {
      return await postJson({ ...this.#target, path, signal: AbortSignal.timeout(answerMs) }, data);
    } catch (error) {
      const where = 'socketPath' in this.#target ? this.#target.socketPath : `port ${this.#target.port}`;
      throw new NetworkError(`NetManager at ${where} does not answer; is it running?`, false, { cause: error });
    }
  }

  /** Tells NetManager who the worker is; tries until it has agreed or is told otherwise by a later call. */
  async register(id: string, cluster: string, signal: AbortSignal): Promise<void> {
    this.#registering.abort(new NetworkError('the worker has got another id', true));
    this.#registering = new AbortController();
    const either = AbortSignal.any([signal, this.#registering.signal]);
    this.#registration = { client_id: id, cluster_address: cluster };
    const attempt = async () => accepted(await this.#post('/register', this.#registration), '/register');
    await retry(attempt, { first: 50, growth: 1.5, most: 5000 }, either, (error, attempts) => {
      if (attempts % 10 === 1) this.#log.warn(`${explain(error)}; trying again`);
    });
    this.#registered.resolve();
  }

  /** Waits a while for a NetManager that has not agreed to the worker yet. Throws {@link NetworkError}. */
  async agreed(): Promise<void> {
    using limit = deadline(new AbortController().signal, answerMs, 'registering with NetManager');
    const late = new Promise<never>((_, reject) => {
      limit.addEventListener('abort', () => reject(new NetworkError('NetManager has not taken this worker yet', true)));
    });
    await Promise.race([this.registered, late]);
  }

  /** Asks for a change. A NetManager that was restarted and has forgotten the worker is told again. */
  async #change(action: Action, data: unknown): Promise<Answer> {
    const ask = async () => {
      const answer = await this.#post(`/${this.#kind}/${action}`, data);
      if (answer.status !== 404 || this.#kind === 'unikernel') return answer;
      const other = await this.#post(`/unikernel/${action}`, data);
      if (other.status !== 404) this.#kind = 'unikernel';
      return other;
    };
    const answer = await ask();
    if (answer.status !== 400 || this.#registration === undefined) return answer;
    const registered = await this.#post('/register', this.#registration);
    return registered.status === 200 ? ask() : answer;
  }

  /** Asks for a change until `take` is content with an answer, which throws an unrefused NetworkError if it is not. */
  async #insist<T>(action: Action, data: unknown, signal: AbortSignal, take: (answer: Answer) => T): Promise<T> {
    using limit = deadline(signal, insistMs[action], 'asking NetManager');
    let last: unknown;
    const giveUpIfRefused = (error: unknown) => {
      last = error;
      if (!(error instanceof NetworkError) || error.refused) throw error;
    };
    try {
      return await retry(async () => take(await this.#change(action, data)), insisting, limit, giveUpIfRefused);
    } catch (error) {
      throw last ?? error;
    }
  }

  /**
   * Makes the instance's namespace with its addresses and ports; asks again while NetManager does not answer, which
   * does no harm because a repeated request changes nothing. Throws {@link NetworkError}, also when `signal` aborts.
   */
  async deploy(service: string, instance: number, ports: string, signal: AbortSignal): Promise<Addresses> {
    const data = { pid: 0, serviceName: service, instanceNumber: instance, portMappings: ports };
    await this.agreed();
    const text = await this.#insist('deploy', data, signal, (answer) => accepted(answer, 'the network'));
    return readDeployAnswer(text, this.#log.warn);
  }

  /**
   * Removes what {@link deploy} made; what is already gone counts as removed. A NetManager that is not there, or has
   * not taken the worker yet, is asked again. Throws {@link NetworkError}.
   */
  async undeploy(service: string, instance: number): Promise<void> {
    const data = { serviceName: service, instanceNumber: instance };
    await this.#insist('undeploy', data, new AbortController().signal, (answer) => {
      if (answer.status === 404) return;
      if (answer.status === 400 || answer.status === 503)
        throw new NetworkError(`NetManager cannot remove the network yet: ${answer.text.trim()}`, false);
      accepted(answer, 'to remove the network');
    });
  }
}
