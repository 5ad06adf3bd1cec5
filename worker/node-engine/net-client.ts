import { parseJson } from '../contract/check.ts';
import { ContainerDeployAnswer, WasmDeployAnswer } from '../contract/net-http.ts';
import type { Log } from '../system/log.ts';
import { explain } from './explain.ts';
import { postJson } from './http.ts';
import type { NetTarget } from './settings.ts';
import { deadline, retry } from './wait.ts';

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

/** How long a NetManager that does not answer, while it is being restarted for one, is asked to remove a network. */
const undoMs = 60_000;
const undoing = { first: 250, growth: 2, most: 5000 };

type Answer = { readonly status: number; readonly text: string };

const accepted = ({ status, text }: Answer, what: string): string => {
  if (status !== 200) throw new NetworkError(`NetManager refused ${what} with ${status}: ${text.trim()}`, true);
  return text;
};

const withoutPrefix = (address: string): string => address.split('/')[0] ?? '';

/** Speaks to NetManager (contract, section 4). */
export class NetClient {
  readonly #target: NetTarget;
  /** How instances are called in the paths: "unikernel" with a NetManager that knows no "wasm". */
  #kind: 'wasm' | 'unikernel' = 'wasm';
  readonly #registered = Promise.withResolvers<void>();
  #registering = new AbortController();
  #registration: { readonly client_id: string; readonly cluster_address: string } | undefined;

  constructor(target: NetTarget) {
    this.#target = target;
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
  async register(id: string, cluster: string, log: Log, signal: AbortSignal): Promise<void> {
    this.#registering.abort(new NetworkError('the worker has got another id', true));
    this.#registering = new AbortController();
    const either = AbortSignal.any([signal, this.#registering.signal]);
    this.#registration = { client_id: id, cluster_address: cluster };
    const attempt = async () => accepted(await this.#post('/register', this.#registration), '/register');
    await retry(attempt, { first: 50, growth: 1.5, most: 5000 }, either, (error, attempts) => {
      if (attempts % 10 === 1) log.warn(`${explain(error)}; trying again`);
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
  async #change(action: 'deploy' | 'undeploy', data: unknown): Promise<Answer> {
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

  /** Makes the instance's namespace with its addresses and ports. Throws {@link NetworkError}. */
  async deploy(service: string, instance: number, ports: string): Promise<Addresses> {
    const data = { pid: 0, serviceName: service, instanceNumber: instance, portMappings: ports };
    await this.agreed();
    const text = accepted(await this.#change('deploy', data), 'the network');
    if (this.#kind === 'wasm') {
      const answer = parseJson(WasmDeployAnswer, text, "NetManager's answer");
      return { v4: withoutPrefix(answer.nsAddress), v6: withoutPrefix(answer.nsAddressV6) };
    }
    const answer = parseJson(ContainerDeployAnswer, text, "NetManager's answer");
    return { v4: withoutPrefix(answer.nsAddress), v6: withoutPrefix(answer.nsAddressv6) };
  }

  /** Removes what {@link deploy} made; what is already gone counts as removed. Throws {@link NetworkError}. */
  async undeploy(service: string, instance: number): Promise<void> {
    const data = { serviceName: service, instanceNumber: instance };
    using limit = deadline(new AbortController().signal, undoMs, 'removing the network');
    const answer = await retry(
      () => this.#change('undeploy', data),
      undoing,
      limit,
      () => undefined,
    );
    if (answer.status !== 404) accepted(answer, 'to remove the network');
  }
}
