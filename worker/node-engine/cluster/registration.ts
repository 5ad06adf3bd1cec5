import type { ClusterAddress } from '../../contract/host.ts';
import { readJson, type Warn } from '../../contract/read.ts';
import { type Dialect, RegistrationAnswer, registrationPath } from '../../contract/registration.ts';
import { explain } from '../../system/explain.ts';
import { addressTowards } from '../../system/node-address.ts';
import { abortable, deadline } from '../../system/wait.ts';
import { postJson } from '../artifacts/http.ts';
import { nodeFieldsMessage } from './messages.ts';
import type { NodeFacts } from './node-facts.ts';

/** What the worker is to its cluster. */
export type Registration = {
  readonly id: string;
  /** The node's address on the way to the cluster. */
  readonly ip: string;
  readonly brokerPort: number;
  readonly dialect: Dialect;
};

/** The cluster did not take the worker. `status` is the HTTP status, undefined when there was no answer. */
class RegistrationError extends Error {
  override readonly name = 'RegistrationError';
  readonly status: number | undefined;
  constructor(message: string, status?: number, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

const answerMs = 15_000;

const registerIn = async (
  dialect: Dialect,
  cluster: ClusterAddress,
  runtimes: readonly string[],
  facts: NodeFacts,
  signal: AbortSignal,
  note: Warn,
): Promise<Registration> => {
  const where = `${cluster.host}:${cluster.port}`;
  using limit = deadline(signal, answerMs, `the answer of the cluster at ${where}`);
  const reach = async () => {
    const ip = await abortable(addressTowards(cluster.host), limit);
    const protocol = cluster.secure ? 'https:' : 'http:';
    const target = { protocol, hostname: cluster.host, port: cluster.port, path: registrationPath, signal: limit };
    return { ip, answer: await postJson(target, nodeFieldsMessage(dialect, { id: '', ip, runtimes }, facts)) };
  };
  const { ip, answer } = await reach().catch((error: unknown) => {
    throw new RegistrationError(`the cluster at ${where} does not answer`, undefined, { cause: error });
  });
  if (answer.status >= 300 && answer.status < 400 && answer.location !== undefined)
    throw new RegistrationError(
      `the cluster at ${where} redirects to ${answer.location.slice(0, 200)}: set cluster_address, cluster_port and cluster_ssl in conf.json to where it is`,
    );
  if (answer.status !== 200)
    throw new RegistrationError(
      `the cluster at ${where} refused the worker with ${answer.status}: ${answer.text.trim().slice(0, 500)}`,
      answer.status,
    );
  const { id, MQTT_BROKER_PORT: port } = readJson(RegistrationAnswer, answer.text, "the cluster's answer", note);
  return { id, ip, brokerPort: Number(port), dialect };
};

/** Refusals in the dialect 403 after which the older one is tried. */
const refusalsBeforeOther = 3;

/**
 * A function that registers the worker (contract, section 1) and can be called again and again. Without a `dialect`
 * it learns the cluster's: 403 is spoken until the cluster has refused it three times running, then 400 is tried as
 * well; 403 comes first each time, because a newer cluster takes both but never uses a worker that speaks 400.
 * Throws {@link RegistrationError}.
 */
export const registrar = (
  cluster: ClusterAddress,
  runtimes: readonly string[],
  dialect: Dialect | undefined,
  note: Warn,
): ((facts: NodeFacts, signal: AbortSignal) => Promise<Registration>) => {
  let refusals = 0;
  return async (facts, signal) => {
    try {
      const registration = await registerIn(dialect ?? '403', cluster, runtimes, facts, signal, note);
      refusals = 0;
      return registration;
    } catch (error) {
      if (dialect !== undefined || !(error instanceof RegistrationError) || error.status === undefined) throw error;
      refusals += 1;
      if (refusals < refusalsBeforeOther) throw error;
      return registerIn('400', cluster, runtimes, facts, signal, note).catch((other: unknown) => {
        throw new RegistrationError(`${error.message}; in the dialect 400: ${explain(other)}`, error.status);
      });
    }
  };
};
