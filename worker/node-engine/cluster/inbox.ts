import { InvalidData, parseJson } from '../../contract/check.ts';
import { ControlError, DeleteRequest, DeployRequest } from '../../contract/job.ts';
import type { engineTopics } from '../../contract/topics.ts';

/** What a message from the cluster asks for. */
type Order =
  | { readonly kind: 'deploy'; readonly job: DeployRequest }
  | { readonly kind: 'delete'; readonly request: DeleteRequest }
  | { readonly kind: 'register'; readonly reason: string }
  /** A job that can be named but not understood. */
  | { readonly kind: 'refuse'; readonly request: DeleteRequest; readonly reason: string };

const readDeploy = (payload: string): Order => {
  try {
    return { kind: 'deploy', job: parseJson(DeployRequest, payload, 'deploy message') };
  } catch (error) {
    if (!(error instanceof InvalidData)) throw error;
    const { job_name, instance_number } = parseJson(DeleteRequest, payload, 'deploy message');
    return { kind: 'refuse', request: { job_name, instance_number }, reason: error.message };
  }
};

/** Reads a message; undefined when its topic is none of `topics`. Throws {@link InvalidData}. */
export const readOrder = (
  topics: ReturnType<typeof engineTopics>,
  topic: string,
  payload: string,
): Order | undefined => {
  if (topic === topics.deploy) return readDeploy(payload);
  if (topic === topics.delete) return { kind: 'delete', request: parseJson(DeleteRequest, payload, 'delete message') };
  if (topic !== topics.error) return undefined;
  return { kind: 'register', reason: parseJson(ControlError, payload, 'error message').message };
};
