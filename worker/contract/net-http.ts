import { isIP } from 'node:net';
import Type, { type Static } from 'typebox';
import { InvalidData } from './check.ts';
import { workerId } from './names.ts';
import { orNumber, readJson, refused, type Warn } from './read.ts';

/**
 * `POST /register`: the worker's id and the address of its cluster, as the node engine was told them. Three
 * keys are this worker's own: `former_id`, the id that its cluster knew the worker by before it gave it this one, and
 * `cluster_port` and `broker_port`, where the cluster registers workers and where it said that its broker is.
 */
export const RegisterRequest = Type.Object({
  client_id: Type.String({ pattern: workerId }),
  cluster_address: Type.Optional(Type.String({ maxLength: 1000 })),
  former_id: Type.Optional(Type.String({ pattern: workerId })),
  cluster_port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
  broker_port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
});
export type RegisterRequest = Static<typeof RegisterRequest>;

/** `POST /{wasm,container,unikernel}/deploy`; pid 0 asks for a named namespace of the instance's own. */
export const NetDeployRequest = Type.Object({
  pid: Type.Optional(Type.Integer({ ...refused, minimum: 0 })),
  serviceName: Type.String({ minLength: 1, maxLength: 123 }),
  instanceNumber: Type.Integer({ minimum: 0, maximum: 999_999_999 }),
  portMappings: Type.Optional(Type.String({ ...refused, ...orNumber, maxLength: 4096 })),
});
export type NetDeployRequest = Static<typeof NetDeployRequest>;

/** `POST /…/undeploy`. */
export const NetUndeployRequest = Type.Object({
  serviceName: Type.String({ minLength: 1, maxLength: 123 }),
  instanceNumber: Type.Integer({ minimum: 0, maximum: 999_999_999 }),
});
export type NetUndeployRequest = Static<typeof NetUndeployRequest>;

/** Answer of `/wasm/undeploy`. */
export const WasmUndeployAnswer = Type.Object({ success: Type.Boolean(), message: Type.String() });
export type WasmUndeployAnswer = Static<typeof WasmUndeployAnswer>;

/** What is needed of any net manager's answer to a deployment: a capital V is `/wasm/deploy`'s, a small one the others'. */
const DeployAnswer = Type.Object({
  nsAddress: Type.String({ minLength: 1 }),
  nsAddressv6: Type.Optional(Type.String()),
  nsAddressV6: Type.Optional(Type.String()),
});

const withoutPrefix = (address: string): string => address.split('/')[0] ?? '';

/** The addresses in a net manager's answer, without prefix lengths; `v6` is empty where there is none. */
export const readDeployAnswer = (text: string, note: Warn): { readonly v4: string; readonly v6: string } => {
  const { nsAddress, nsAddressv6, nsAddressV6 } = readJson(DeployAnswer, text, "NetManager's answer", note);
  const v4 = withoutPrefix(nsAddress);
  if (isIP(v4) === 0) throw new InvalidData("NetManager's answer", [`nsAddress '${v4.slice(0, 80)}' is no address`]);
  return { v4, v6: withoutPrefix(nsAddressV6 ?? nsAddressv6 ?? '') };
};
