import Type, { type Static, type TSchema } from 'typebox';
import { splitPorts } from './ports.ts';
import { orNumber, readJson, refused, type Warn } from './read.ts';

const nullable = <T extends TSchema>(schema: T, how: Partial<typeof refused> = {}) =>
  Type.Optional(Type.Union([schema, Type.Null()], how));

/**
 * The job document of `control/deploy` (contract, section 2). A cluster leaves keys out or sends null for them;
 * `memory` is in MB, `port` as `parsePorts` reads it. Keys that are not named here are ignored.
 */
export const DeployRequest = Type.Object({
  _id: nullable(Type.String()),
  job_name: Type.String({ minLength: 1, maxLength: 123 }),
  instance_number: Type.Integer({ minimum: 0, maximum: 999_999_999 }),
  image: Type.String({ minLength: 1, maxLength: 4096 }),
  virtualization: Type.String({ maxLength: 100, default: 'wasm' }),
  /** Without one of its words, a command is another one. */
  cmd: nullable(Type.Array(Type.String({ ...orNumber, ...refused })), refused),
  environment: nullable(Type.Array(Type.String()), refused),
  port: nullable(Type.String({ ...orNumber, maxLength: 4096 }), refused),
  memory: nullable(Type.Number({ minimum: 0 }), refused),
  vcpus: nullable(Type.Number({ minimum: 0 }), refused),
  one_shot: nullable(Type.Boolean(), refused),
  /** Storage to mount: `{volume_id, csi_driver, mount_path, config}` each (contract, section 9). */
  volumes: nullable(Type.Array(Type.Unknown())),
});
export type DeployRequest = Static<typeof DeployRequest>;

const isBlank = (text: string): boolean => text.trim() === '';

/**
 * The job in a message of `control/deploy`, less what its author did not fill in (a dashboard sends the blank row of a
 * form) and less variables that are not K=V. Throws `InvalidData`.
 */
export const readDeployRequest = (text: string, note: Warn): DeployRequest => {
  const job = readJson(DeployRequest, text, 'deploy message', note);
  const { cmd, environment, port } = job;
  const isVariable = (entry: string): boolean => {
    const fits = /^[^=\0]+=[^\0]*$/.test(entry);
    if (!fits && !isBlank(entry)) note(`deploy message: environment '${entry.slice(0, 80)}' is not K=V; left out`);
    return fits;
  };
  return {
    ...job,
    ...(cmd ? { cmd: cmd.filter((word) => !isBlank(word)) } : {}),
    ...(environment ? { environment: environment.filter(isVariable) } : {}),
    // A net manager of another maker may split at semicolons alone.
    ...(port ? { port: splitPorts(port).join(';') } : {}),
  };
};

/** `control/delete`. A name that is too long for a job is answered all the same. */
export const DeleteRequest = Type.Object({
  job_name: Type.String({ minLength: 1, maxLength: 1000 }),
  instance_number: Type.Integer({ minimum: 0, maximum: 999_999_999 }),
  virtualization: nullable(Type.String()),
});
export type DeleteRequest = Static<typeof DeleteRequest>;

/** `control/error` (403): the cluster does not know this worker any more. */
export const ControlError = Type.Object({ message: Type.String({ default: 'the cluster does not know this worker' }) });

/** Every status word that a cluster knows; any other ends its MQTT thread. */
export const jobStatuses = ['CREATING', 'CREATED', 'RUNNING', 'FAILED', 'DEAD', 'COMPLETED', 'UNDEPLOYED'] as const;
export type JobStatus = (typeof jobStatuses)[number];

/** `nodes/<id>/job`. */
export const JobStatusMessage = Type.Object({
  sname: Type.String({ minLength: 1 }),
  status: Type.Enum([...jobStatuses]),
  status_detail: Type.String(),
  instance: Type.Integer({ minimum: 0 }),
  publicip: Type.String(),
});
export type JobStatusMessage = Static<typeof JobStatusMessage>;

const decimal = Type.String({ pattern: '^[0-9]+(\\.[0-9]+)?$' });
const resourcesCommon = {
  disk: decimal,
  logs: Type.String(),
  job_name: Type.String({ minLength: 1 }),
  virtualization: Type.String({ minLength: 1 }),
  instance: Type.Integer({ minimum: 0 }),
};

/** One running instance in `nodes/<id>/jobs/resources`, dialect 403. Figures are strings, shares in percent. */
export const ServiceResources403 = Type.Object({ ...resourcesCommon, cpu_percent: decimal, memory_percent: decimal });
/** The same in the dialect 400. */
export const ServiceResources400 = Type.Object({ ...resourcesCommon, cpu: decimal, memory: decimal });

/** `nodes/<id>/jobs/resources`; the message that makes a job RUNNING, so it names running instances only. */
export const ResourcesMessage403 = Type.Object({ services: Type.Array(ServiceResources403) });
export const ResourcesMessage400 = Type.Object({ services: Type.Array(ServiceResources400) });
