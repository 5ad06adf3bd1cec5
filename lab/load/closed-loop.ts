import autocannon from 'autocannon';
import { sendRequest } from './request.ts';
import type { Tally } from './tally.ts';

/** What a closed loop needs to know: every connection sends its next request when the last one was answered. */
export type ClosedLoop = {
  readonly url: string;
  readonly connections: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
};

/** The shortest timeout that autocannon accepts. */
const shortestTimeoutMs = 1000;

/** autocannon looks this often whether it shall end. */
const endingGranularityMs = 20;

/** A client of autocannon, with what its typings leave out. */
type Client = autocannon.Client & {
  /** It closes its connection instead of sending more requests than this; undefined for no limit. */
  responseMax: number | undefined;
  /** Adds each chunk it is given to a string, as UTF-8 where it is no string yet. */
  readonly pipelinedRequests: { addBody: (chunk: Buffer | string) => void };
};

/** Has a client collect bodies as bytes, one a character (latin1). */
const collectBytes = ({ pipelinedRequests }: Client): void => {
  const add = pipelinedRequests.addBody.bind(pipelinedRequests);
  pipelinedRequests.addBody = (chunk) => add(chunk.toString('latin1'));
};

/**
 * Keeps `connections` connections busy for `ms` milliseconds by autocannon. Requests under way when the time is up are
 * waited for. Throws the signal's reason when it aborts, and a RangeError for a timeout below one second.
 *
 * After a connection was closed in the middle, autocannon 9 gives later latencies of that client too long: with
 * `errors` other than 0 the histogram is not to be trusted.
 */
export const keepAlive = async (loop: ClosedLoop, ms: number, tally: Tally): Promise<void> => {
  const { url, connections, timeoutMs, signal } = loop;
  signal.throwIfAborted();
  if (timeoutMs < shortestTimeoutMs)
    throw new RangeError(`timeoutMs is ${timeoutMs}; with kept connections it is ${shortestTimeoutMs} or more`);
  const clients: Client[] = [];
  const options = {
    url,
    connections,
    timeout: timeoutMs / 1000,
    // It ends when all clients have; its own end would drop what is under way.
    duration: (ms + 2 * timeoutMs) / 1000,
    setupClient: (client: autocannon.Client) => {
      collectBytes(client as Client);
      clients.push(client as Client);
    },
    sampleInt: endingGranularityMs,
    verifyBody: (body: unknown) => tally.body(String(body)),
  };
  const { promise, resolve, reject } = Promise.withResolvers<autocannon.Result>();
  // The callback form: the typings of the promise form hide the event emitter that it also is.
  const instance = autocannon(options, (error, result) => (error ? reject(error) : resolve(result)));
  instance.on('response', (_client, status, _bytes, latencyMs) => tally.response(status, latencyMs));
  tally.end = performance.now() + ms;
  const timeUp = setTimeout(() => {
    for (const client of clients) client.responseMax = 1;
  }, ms);
  const stop = () => {
    instance.stop();
    reject(signal.reason);
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    const result = await promise;
    const failed = result.errors - result.timeouts;
    // A connection that is closed without a response is opened again without being counted. What is neither answered
    // nor counted was lost that way.
    const lost = Math.max(0, result.requests.sent - tally.responses - result.errors);
    tally.sent = result.requests.sent;
    tally.timeouts = result.timeouts;
    tally.errors = failed + lost;
  } finally {
    clearTimeout(timeUp);
    signal.removeEventListener('abort', stop);
  }
};

/**
 * The same with a connection a request, by node:http: autocannon drops the responses that make it connect again.
 * Requests under way when the time is up are waited for.
 */
export const freshConnections = async (loop: ClosedLoop, ms: number, tally: Tally): Promise<void> => {
  const { url, connections, timeoutMs, signal } = loop;
  tally.end = performance.now() + ms;
  const client = async () => {
    while (performance.now() < tally.end && !signal.aborted)
      await sendRequest(url, false, timeoutMs, performance.now(), tally, signal);
  };
  await Promise.all(Array.from({ length: connections }, client));
  signal.throwIfAborted();
};
