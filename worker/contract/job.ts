import Type, { type Static, type TSchema } from 'typebox';

const nullable = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));

/**
 * The job document of `control/deploy` (contract, section 2). A cluster leaves keys out or sends null for them;
 * `memory` is in MB, `port` as `parsePorts` reads it. Keys that are not named here are ignored.
 */
export const DeployRequest = Type.Object({
  _id: nullable(Type.String()),
  job_name: Type.String({ minLength: 1, maxLength: 123 }),
  instance_number: Type.Integer({ minimum: 0, maximum: 999_999_999 }),
  image: Type.String({ minLength: 1, maxLength: 4096 }),
  virtualization: Type.String({ maxLength: 100 }),
  cmd: nullable(Type.Array(Type.String())),
  environment: nullable(Type.Array(Type.String())),
  port: nullable(Type.String({ maxLength: 4096 })),
  memory: nullable(Type.Number({ minimum: 0 })),
  vcpus: nullable(Type.Number({ minimum: 0 })),
  one_shot: nullable(Type.Boolean()),
});
export type DeployRequest = Static<typeof DeployRequest>;

/** `control/delete`. */
export const DeleteRequest = Type.Object({
  job_name: Type.String({ minLength: 1, maxLength: 123 }),
  instance_number: Type.Integer({ minimum: 0, maximum: 999_999_999 }),
  virtualization: nullable(Type.String()),
});
export type DeleteRequest = Static<typeof DeleteRequest>;

/** `control/error` (403): the cluster does not know this worker any more. */
export const ControlError = Type.Object({ message: Type.String() });

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
