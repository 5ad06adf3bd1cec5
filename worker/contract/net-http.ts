import Type, { type Static } from 'typebox';

/** `POST /register`: the worker's id and the address of its cluster, as the node engine was told them. */
export const RegisterRequest = Type.Object({
  client_id: Type.String({ minLength: 1, maxLength: 200 }),
  cluster_address: Type.String({ minLength: 1, maxLength: 253 }),
});
export type RegisterRequest = Static<typeof RegisterRequest>;

/** `POST /{wasm,container,unikernel}/deploy`; pid 0 asks for a named namespace of the instance's own. */
export const NetDeployRequest = Type.Object({
  pid: Type.Optional(Type.Integer({ minimum: 0 })),
  serviceName: Type.String({ minLength: 1, maxLength: 123 }),
  instanceNumber: Type.Integer({ minimum: 0, maximum: 999_999_999 }),
  portMappings: Type.Optional(Type.String({ maxLength: 4096 })),
});
export type NetDeployRequest = Static<typeof NetDeployRequest>;

/** `POST /…/undeploy`. */
export const NetUndeployRequest = Type.Object({
  serviceName: Type.String({ minLength: 1, maxLength: 123 }),
  instanceNumber: Type.Integer({ minimum: 0, maximum: 999_999_999 }),
});
export type NetUndeployRequest = Static<typeof NetUndeployRequest>;

/** Answer of `/wasm/deploy` (capital V). */
export const WasmDeployAnswer = Type.Object({
  serviceName: Type.String(),
  nsAddress: Type.String(),
  nsAddressV6: Type.String(),
});
export type WasmDeployAnswer = Static<typeof WasmDeployAnswer>;

/** Answer of `/container/deploy` and `/unikernel/deploy` (small v). */
export const ContainerDeployAnswer = Type.Object({
  serviceName: Type.String(),
  nsAddress: Type.String(),
  nsAddressv6: Type.String(),
});

/** Answer of `/wasm/undeploy`. */
export const WasmUndeployAnswer = Type.Object({ success: Type.Boolean(), message: Type.String() });
export type WasmUndeployAnswer = Static<typeof WasmUndeployAnswer>;
