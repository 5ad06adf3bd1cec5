import Type, { type Static } from 'typebox';
import { workerId } from './names.ts';
import { portPattern } from './ports.ts';

/** Which keys a cluster understands: "400" up to release 0.4.402, "403" from 0.4.403 on (contract, section 1). */
export type Dialect = '400' | '403';

const common = {
  id: Type.String(),
  host: Type.String({ minLength: 1 }),
  ip: Type.String(),
  port: Type.String(),
  system_info: Type.Object({}, { additionalProperties: true }),
  architecture: Type.Enum(['arm64', 'amd64']),
  disk_info: Type.Object({}, { additionalProperties: true }),
  network_info: Type.Object({}, { additionalProperties: true }),
  gpu_driver: Type.String(),
  gpu_usage: Type.Number(),
  gpu_temp: Type.Number(),
  supported_addons: Type.Array(Type.String()),
};

const runtimes = Type.Array(Type.String(), { minItems: 1 });

/** A node's fields in the dialect 403; `memory` is what is available, in MB. */
export const NodeFields403 = Type.Object({
  ...common,
  cpu_percent: Type.Number({ minimum: 0 }),
  vcpus: Type.Integer({ minimum: 1 }),
  memory_percent: Type.Number({ minimum: 0, maximum: 100 }),
  memory: Type.Integer({ minimum: 0 }),
  virtualization: runtimes,
  vgpus: Type.Integer({ minimum: 0 }),
  vram_percent: Type.Number({ minimum: 0 }),
  vram: Type.Number({ minimum: 0 }),
  csi_drivers: Type.Array(Type.String()),
});
export type NodeFields403 = Static<typeof NodeFields403>;

/** A node's fields in the dialect 400; `cpu` is the load average there, `memory` the share used in percent. */
export const NodeFields400 = Type.Object({
  ...common,
  cpu: Type.Number({ minimum: 0 }),
  free_cores: Type.Number({ minimum: 0 }),
  memory: Type.Number({ minimum: 0, maximum: 100 }),
  memory_free_in_MB: Type.Integer({ minimum: 0 }),
  technology: runtimes,
  gpu_cores: Type.Integer({ minimum: 0 }),
  gpu_mem_used: Type.Number({ minimum: 0 }),
  gpu_tot_mem: Type.Number({ minimum: 0 }),
});
export type NodeFields400 = Static<typeof NodeFields400>;

/** The schema of registration and `information` messages in a dialect. */
export const nodeFields = (dialect: Dialect) => (dialect === '403' ? NodeFields403 : NodeFields400);

/** Path on the cluster that a worker registers at, by POST. */
export const registrationPath = '/api/node/register';

/**
 * What the cluster answers: the worker's id (24 hex digits as a rule), which becomes part of topics, and where its
 * broker listens (a string).
 */
export const RegistrationAnswer = Type.Object({
  id: Type.String({ pattern: workerId }),
  MQTT_BROKER_PORT: Type.String({ pattern: portPattern, default: '10003' }),
});
export type RegistrationAnswer = Static<typeof RegistrationAnswer>;
