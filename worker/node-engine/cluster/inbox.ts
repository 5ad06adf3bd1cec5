import { InvalidData } from '../../contract/check.ts';
import { ControlError, DeleteRequest, type DeployRequest, readDeployRequest } from '../../contract/job.ts';
import { readJson, type Warn } from '../../contract/read.ts';
import type { engineTopics } from '../../contract/topics.ts';

/** What a message from the cluster asks for. */
type Order =
  | { readonly kind: 'deploy'; readonly job: DeployRequest }
  | { readonly kind: 'delete'; readonly request: DeleteRequest }
  | { readonly kind: 'register'; readonly reason: string }
  /** A job that can be named but not understood. */
  | { readonly kind: 'refuse'; readonly request: DeleteRequest; readonly reason: string };

const readDeploy = (payload: string, note: Warn): Order => {
  try {
    return { kind: 'deploy', job: readDeployRequest(payload, note) };
  } catch (error) {
    if (!(error instanceof InvalidData)) throw error;
    const { job_name, instance_number } = readJson(DeleteRequest, payload, 'deploy message', note);
    return { kind: 'refuse', request: { job_name, instance_number }, reason: error.message };
  }
};

/** Reads a message; undefined when its topic is none of `topics`. `note` is told what was left out. Throws {@link InvalidData}. */
export const readOrder = (
  topics: ReturnType<typeof engineTopics>,
  topic: string,
  payload: string,
  note: Warn,
): Order | undefined => {
  if (topic === topics.deploy) return readDeploy(payload, note);
  if (topic === topics.delete)
    return { kind: 'delete', request: readJson(DeleteRequest, payload, 'delete message', note) };
  if (topic !== topics.error) return undefined;
  return { kind: 'register', reason: readJson(ControlError, payload, 'error message', note).message };
};
