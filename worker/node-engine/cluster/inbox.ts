import { InvalidData } from '../../contract/check.ts';
import { ControlError, DeleteRequest, type DeployRequest, readDeployRequest } from '../../contract/job.ts';
import { readJson, type Warn } from '../../contract/read.ts';
import type { engineTopics } from '../../contract/topics.ts';
import { maxMessageBytes } from '../../system/mqtt.ts';
import { shortenedFrom } from '../../system/mqtt-limit.ts';

/** What a message from the cluster asks for. */
type Order =
  | { readonly kind: 'deploy'; readonly job: DeployRequest; readonly leftOut: readonly string[] }
  | { readonly kind: 'delete'; readonly request: DeleteRequest }
  | { readonly kind: 'register'; readonly reason: string }
  /** A job that can be named but not understood. */
  | { readonly kind: 'refuse'; readonly request: DeleteRequest; readonly reason: string };

const readDeploy = (payload: string, warn: Warn): Order => {
  const refuse = (reason: string): Order => {
    const { job_name, instance_number } = readJson(DeleteRequest, payload, 'deploy message', warn);
    return { kind: 'refuse', request: { job_name, instance_number }, reason };
  };
  const bytes = shortenedFrom(payload);
  if (bytes !== undefined)
    return refuse(`the deploy message has ${bytes} bytes, and at most ${maxMessageBytes} are read: shorten the job`);
  const leftOut: string[] = [];
  try {
    const job = readDeployRequest(payload, (text) => {
      leftOut.push(text);
      warn(text);
    });
    return { kind: 'deploy', job, leftOut };
  } catch (error) {
    if (!(error instanceof InvalidData)) throw error;
    return refuse(error.message);
  }
};

/** Reads a message; undefined when its topic is none of `topics`. `warn` is told what was left out. Throws {@link InvalidData}. */
export const readOrder = (
  topics: ReturnType<typeof engineTopics>,
  topic: string,
  payload: string,
  warn: Warn,
): Order | undefined => {
  if (topic === topics.deploy) return readDeploy(payload, warn);
  if (topic === topics.delete)
    return { kind: 'delete', request: readJson(DeleteRequest, payload, 'delete message', warn) };
  if (topic !== topics.error) return undefined;
  return { kind: 'register', reason: readJson(ControlError, payload, 'error message', warn).message };
};
