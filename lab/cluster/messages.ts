import type { Static } from 'typebox';
import type { ServiceResources400, ServiceResources403 } from '../../worker/contract/job.ts';

/** One message between the cluster and a worker, in the order the cluster saw it. */
export type ClusterMessage = {
  /** Monotonic milliseconds (`performance.now()`). */
  readonly ms: number;
  /** `in` came from the worker, `out` went to it. */
  readonly direction: 'in' | 'out';
  /** MQTT topic, or method and path of an HTTP request. */
  readonly topic: string;
  /** MQTT client that sent it; absent for HTTP and for what the cluster sends. */
  readonly client?: string;
  /** The parsed JSON, or the text when it was none. */
  readonly payload: unknown;
};

/** Something a worker sent that the contract does not allow. */
export type Violation = {
  readonly ms: number;
  readonly topic: string;
  readonly client?: string;
  readonly problem: string;
};

/** What a worker reports about one running instance, in either dialect. */
export type ServiceResources = Static<typeof ServiceResources403> | Static<typeof ServiceResources400>;

/** JSON text as data; text that is not JSON as it is. */
export const decode = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};
