import { taskId } from '../../../contract/names.ts';
import { readDeployAnswer } from '../../../contract/net-http.ts';
import { formatPorts, parsePorts } from '../../../contract/ports.ts';
import { explain } from '../../../system/explain.ts';
import type { Log } from '../../../system/log.ts';
import { deadline, retry } from '../../../system/wait.ts';
import { postJson } from '../../artifacts/http.ts';
import type { ProcessId } from '../../process/proc.ts';
import { namespaceFileOf, openLowPorts } from './holder.ts';

/** Where NetManager listens. */
export type NetTarget = { readonly socketPath: string } | { readonly host: string; readonly port: number };

/** The addresses of an instance, without prefix lengths, and the file of its namespace, as nsenter(1) takes it. */
export type Attachment = { readonly v4: string; readonly v6: string; readonly namespace: string };

/** What is asked for an instance. `hold` starts a process in a namespace of its own, for a NetManager that makes none. */
export type NetRequest = {
  readonly service: string;
  readonly instance: number;
  readonly ports: string;
  readonly hold: () => Promise<ProcessId>;
};

/** What came of a request: it was refused, it reached nobody, or nobody knows whether it was done. */
type Outcome = 'refused' | 'unsent' | 'unknown';

/** NetManager did not do what it was asked; the message holds its reason. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError';
  readonly outcome: Outcome;
  constructor(message: string, outcome: Outcome, options?: ErrorOptions) {
    super(message, options);
    this.outcome = outcome;
  }
}

const answerMs = 30_000;

/** How long a NetManager that does not answer, because it is being restarted perhaps, is asked again for a network. */
const insistMs = 60_000;
const insisting = { first: 100, growth: 1.5, most: 3000 };

/** The most that is told of what NetManager answers, in characters. */
const maxReason = 1000;

type Answer = { readonly status: number; readonly text: string };

const accepted = ({ status, text }: Answer, what: string): string => {
  if (status === 200) return text;
  const reason = text.trim().slice(0, maxReason) || 'it gives no reason; its own log may';
  throw new NetworkError(`NetManager refused ${what} with ${status}: ${reason}`, 'refused');
};

/** An instance's network namespace, by the name that NetManager gives it (ip-netns(8)). */
const namespaceFile = (service: string, instance: number): string => `/run/netns/${taskId(service, instance)}`;

/** Throws a {@link NetworkError} unless an answer says that the network is gone. */
const takeRemoval = ({ status, text }: Answer): void => {
  if (status !== 200 && status !== 404)
    throw new NetworkError(
      `NetManager cannot remove the network yet: ${status}: ${text.trim().slice(0, maxReason)}`,
      'unknown',
    );
};

/**
 * Speaks to NetManager (contract, section 4), of which there are several: ours and the one of a pull request make a
 * named namespace on `/wasm/deploy`; the released ones answer that with 404 and join the namespace of a live process.
 */
export class NetClient {
  readonly #target: NetTarget;
  readonly #log: Log;
  /** Which of them runs now; undefined when it may be another one than before. */
  #kind: 'wasm' | 'container' | undefined;
  readonly #registered = Promise.withResolvers<void>();
  #registering = new AbortController();
  #registration:
    | {
        readonly client_id: string;
        readonly cluster_address: string;
        readonly cluster_port: number;
        readonly broker_port: number;
        readonly former_id?: string;
      }
    | undefined;

  constructor(target: NetTarget, log: Log) {
    this.#target = target;
    this.#log = log;
  }

  /** Resolves once NetManager has agreed to a registration. */
  get registered(): Promise<void> {
    return this.#registered.promise;
  }

  get #where(): string {
    return 'socketPath' in this.#target ? this.#target.socketPath : `port ${this.#target.port}`;
  }

  /** A request is never broken off but by its time limit: only its answer tells what has to be undone. */
  async #post(path: string, data: unknown): Promise<Answer> {
    try {
      return await postJson({ ...this.#target, path, signal: AbortSignal.timeout(answerMs) }, data);
    } catch (error) {
      this.#kind = undefined;
      const message = `NetManager at ${this.#where} does not answer; is it running?`;
      const outcome = (error as NodeJS.ErrnoException).syscall === 'connect' ? 'unsent' : 'unknown';
      throw new NetworkError(message, outcome, { cause: error });
    }
  }

  /**
   * Tells NetManager who the worker is, and who it was before; tries until it has agreed or is told otherwise by a
   * later call.
   */
  async register(
    id: string,
    cluster: { readonly host: string; readonly port: number; readonly brokerPort: number },
    former: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    this.#registering.abort(new NetworkError('the id of the worker has changed', 'refused'));
    this.#registering = new AbortController();
    const either = AbortSignal.any([signal, this.#registering.signal]);
    this.#registration = {
      client_id: id,
      cluster_address: cluster.host,
      cluster_port: cluster.port,
      broker_port: cluster.brokerPort,
      ...(former === undefined || former === id ? {} : { former_id: former }),
    };
    const attempt = async () => accepted(await this.#post('/register', this.#registration), '/register');
    await retry(attempt, { first: 50, growth: 1.5, most: 5000 }, either, (error, attempts) => {
      const outcome = error instanceof NetworkError ? error.outcome : undefined;
      // both daemons start at once: that NetManager is not there yet is told after seconds
      if (attempts % 10 !== (outcome === 'unsent' ? 0 : 1)) return;
      const moved = former !== undefined && former !== id && outcome === 'refused';
      const remedy = moved ? `; if NetManager keeps to the former id ${former}, restart it` : '';
      this.#log.warn(`${explain(error)}; trying again${remedy}`);
    });
    this.#registered.resolve();
  }

  /** Waits a while for a NetManager that has not agreed to the worker yet. Throws {@link NetworkError}. */
  async agreed(): Promise<void> {
    using limit = deadline(new AbortController().signal, answerMs, 'registering with NetManager');
    const late = new Promise<never>((_, reject) => {
      limit.addEventListener('abort', () =>
        reject(new NetworkError('NetManager has not accepted the registration of this worker yet', 'refused')),
      );
    });
    await Promise.race([this.registered, late]);
  }

  /** Asks for a change. A NetManager that was restarted and has forgotten the worker is told again. */
  async #ask(path: string, data: unknown): Promise<Answer> {
    const answer = await this.#post(path, data);
    if (answer.status !== 400 || this.#registration === undefined) return answer;
    this.#kind = undefined;
    const registered = await this.#post('/register', this.#registration);
    return registered.status === 200 ? this.#post(path, data) : answer;
  }

  async #deploy({ service, instance, ports }: NetRequest, hold: () => Promise<ProcessId>): Promise<Attachment> {
    // Others than ours read no commas, blanks or blank entries.
    const portMappings = formatPorts(parsePorts(ports));
    const data = { serviceName: service, instanceNumber: instance, portMappings };
    if (this.#kind !== 'container') {
      const answer = await this.#ask('/wasm/deploy', { pid: 0, ...data });
      if (answer.status !== 404) {
        this.#kind = 'wasm';
        const addresses = readDeployAnswer(accepted(answer, 'the network'), this.#log.warn);
        const namespace = namespaceFile(service, instance);
        await openLowPorts(namespace);
        return { ...addresses, namespace };
      }
    }
    const holder = await hold();
    const answer = await this.#ask('/container/deploy', { pid: holder.pid, ...data });
    if (answer.status === 404)
      throw new NetworkError(
        `the server at ${this.#where} is not a NetManager: it has no /container/deploy`,
        'refused',
      );
    this.#kind = 'container';
    const addresses = readDeployAnswer(accepted(answer, 'the network'), this.#log.warn);
    return { ...addresses, namespace: namespaceFileOf(holder) };
  }

  /**
   * Makes the instance's namespace with its addresses and ports; asks again while NetManager does not answer. Throws
   * {@link NetworkError}, also when `signal` aborts.
   */
  async deploy(request: NetRequest, signal: AbortSignal): Promise<Attachment> {
    await this.agreed();
    using limit = deadline(signal, insistMs, 'asking NetManager');
    let holder: Promise<ProcessId> | undefined;
    const hold = () => {
      holder ??= request.hold();
      return holder;
    };
    let last: NetworkError | undefined;
    const attempt = async (): Promise<Attachment> => {
      // Where a link is made for every request, one that nobody heard of would stay.
      if (last?.outcome === 'unknown' && holder !== undefined) takeRemoval(await this.#remove(request));
      return await this.#deploy(request, hold);
    };
    try {
      return await retry(attempt, insisting, limit, (error) => {
        if (!(error instanceof NetworkError) || error.outcome === 'refused') throw error;
        // Nobody knows any more, whatever became of later requests.
        const { message, cause } = error;
        last = last?.outcome === 'unknown' ? new NetworkError(message, 'unknown', { cause }) : error;
      });
    } catch (error) {
      throw limit.aborted && last ? last : error;
    }
  }

  async #remove({ service, instance }: Pick<NetRequest, 'service' | 'instance'>): Promise<Answer> {
    const data = { serviceName: service, instanceNumber: instance };
    const answer = this.#kind === 'container' ? undefined : await this.#ask('/wasm/undeploy', data);
    if (answer && answer.status !== 404) return answer;
    // The one path that released NetManagers have; ours says once more that it has no such instance.
    return this.#ask('/docker/undeploy', data);
  }

  /**
   * Removes what {@link deploy} made; what is already gone counts as removed. NetManager is asked until it has been
   * done, because an address and ports of the board stay taken until then. Rejects only when `signal` aborts.
   */
  async undeploy(service: string, instance: number, signal: AbortSignal): Promise<void> {
    const attempt = async () => takeRemoval(await this.#remove({ service, instance }));
    await retry(attempt, insisting, signal, (error, attempts) => {
      if (attempts % 20 === 5) this.#log.warn(`${taskId(service, instance)}: ${explain(error)}; trying again`);
    });
  }
}
