import Type, { type Static } from 'typebox';

const virtualization = Type.Object({
  virutalizaiton_name: Type.Optional(Type.String()),
  virutalizaiton_runtime: Type.Optional(Type.String()),
  virutalizaiton_active: Type.Optional(Type.Boolean()),
  virutalizaiton_config: Type.Optional(Type.Array(Type.Unknown())),
  virtualization_name: Type.Optional(Type.String()),
  virtualization_runtime: Type.Optional(Type.String()),
  virtualization_active: Type.Optional(Type.Boolean()),
  virtualization_config: Type.Optional(Type.Array(Type.Unknown())),
});

/**
 * `conf.json` of the node engine (contract, section 3). The misspelt keys are the contract's own, the right
 * spelling is accepted beside it. An empty or "0.0.0.0" `cluster_address` names no cluster.
 */
export const EngineConfig = Type.Object({
  conf_version: Type.Optional(Type.String()),
  cluster_address: Type.String({ maxLength: 253 }),
  cluster_ssl: Type.Optional(Type.Boolean()),
  cluster_port: Type.Integer({ minimum: 1, maximum: 65_535 }),
  app_logs: Type.Optional(Type.String({ minLength: 1 })),
  overlay_network: Type.Optional(Type.String({ pattern: '^(default|disabled|custom:.+|)$' })),
  public_ip: Type.Optional(Type.Boolean()),
  overlay_network_port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535 })),
  mqtt_cert_file: Type.Optional(Type.String()),
  mqtt_key_file: Type.Optional(Type.String()),
  addons: Type.Optional(Type.Array(Type.Unknown())),
  virtualizations: Type.Optional(Type.Array(virtualization)),
  csi_drivers: Type.Optional(Type.Array(Type.Unknown())),
});
export type EngineConfig = Static<typeof EngineConfig>;

/** `netcfg.json` of the net manager. `WasmTopology`, `Egress` and `OnStop` are this worker's own keys. */
export const NetConfig = Type.Object({
  NodePublicAddress: Type.String(),
  NodePublicPort: Type.String({ pattern: '^[0-9]{1,5}$' }),
  ClusterUrl: Type.Optional(Type.String()),
  ClusterMqttPort: Type.String({ pattern: '^[0-9]{1,5}$' }),
  DefaultInterface: Type.Optional(Type.String()),
  Debug: Type.Optional(Type.Boolean()),
  PublicIPNetworking: Type.Optional(Type.Boolean()),
  MqttCert: Type.Optional(Type.String()),
  MqttKey: Type.Optional(Type.String()),
  MqttCa: Type.Optional(Type.String()),
  WasmTopology: Type.Optional(Type.Enum(['bridged', 'veth'])),
  Egress: Type.Optional(Type.Union([Type.Enum(['on', 'off']), Type.Array(Type.String())])),
  OnStop: Type.Optional(Type.Enum(['keep', 'remove'])),
});
export type NetConfig = Static<typeof NetConfig>;

/** `tuncfg.json` of the net manager: the overlay's device and the MTU that bridge, links and tunnel share. */
export const TunnelConfig = Type.Object({
  HostTunnelDeviceName: Type.String(),
  TunnelIP: Type.String(),
  ProxySubnetwork: Type.String(),
  ProxySubnetworkMask: Type.String(),
  TunnelPort: Type.Integer({ minimum: 1, maximum: 65_535 }),
  MTUsize: Type.Integer({ minimum: 1280, maximum: 65_535 }),
  TunNetIPv6: Type.String(),
  ProxySubnetworkIPv6: Type.String(),
  ProxySubnetworkIPv6Prefix: Type.Integer({ minimum: 0, maximum: 128 }),
});
export type TunnelConfig = Static<typeof TunnelConfig>;
