import Type, { type Static } from 'typebox';
import { portPattern } from './ports.ts';
import { refused } from './read.ts';

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
 * spelling is accepted beside it. An empty or "0.0.0.0" `cluster_address` names no cluster. `component_folders`,
 * `allowed_local_hosts`, `insecure_registries` and `registry_auth_file` are this worker's own keys.
 */
export const EngineConfig = Type.Object({
  conf_version: Type.Optional(Type.String()),
  cluster_address: Type.String({ maxLength: 1000 }),
  cluster_ssl: Type.Optional(Type.Boolean(refused)),
  cluster_port: Type.Integer({ minimum: 1, maximum: 65_535, default: 10_100 }),
  app_logs: Type.Optional(Type.String({ minLength: 1 })),
  overlay_network: Type.Optional(Type.String({ pattern: '^(default|disabled|custom:.+|)$' })),
  public_ip: Type.Optional(Type.Boolean()),
  overlay_network_port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535 })),
  mqtt_cert_file: Type.Optional(Type.String(refused)),
  mqtt_key_file: Type.Optional(Type.String(refused)),
  addons: Type.Optional(Type.Array(Type.Unknown())),
  virtualizations: Type.Optional(Type.Array(virtualization)),
  csi_drivers: Type.Optional(Type.Array(Type.Unknown())),
  component_folders: Type.Optional(Type.Array(Type.String())),
  allowed_local_hosts: Type.Optional(Type.Array(Type.String())),
  insecure_registries: Type.Optional(Type.Array(Type.String())),
  registry_auth_file: Type.Optional(Type.String()),
});
export type EngineConfig = Static<typeof EngineConfig>;

/**
 * `netcfg.json` of the net manager. `WasmTopology`, `Egress`, `Overlay`, `InstanceAccess` and `OnStop` are this worker's
 * own keys.
 */
export const NetConfig = Type.Object({
  NodePublicAddress: Type.String({ ...refused, default: '0.0.0.0' }),
  NodePublicPort: Type.String({ pattern: portPattern, default: '50103' }),
  ClusterUrl: Type.Optional(Type.String(refused)),
  ClusterMqttPort: Type.String({ pattern: portPattern, default: '10003' }),
  DefaultInterface: Type.Optional(Type.String()),
  Debug: Type.Optional(Type.Boolean()),
  PublicIPNetworking: Type.Optional(Type.Boolean()),
  MqttCert: Type.Optional(Type.String(refused)),
  MqttKey: Type.Optional(Type.String(refused)),
  MqttCa: Type.Optional(Type.String(refused)),
  WasmTopology: Type.Optional(Type.Enum(['bridged', 'veth'])),
  Egress: Type.Optional(Type.Union([Type.Enum(['on', 'off']), Type.Array(Type.String())], refused)),
  /** Whether there is an overlay, or the networks of service addresses that instances may open connections to. */
  Overlay: Type.Optional(Type.Union([Type.Enum(['on', 'off']), Type.Array(Type.String())], refused)),
  /** What instances may reach beside what `Egress` opens: nothing of it unless it is named. */
  InstanceAccess: Type.Optional(Type.Array(Type.Enum(['board', 'cluster', 'link-local']), refused)),
  OnStop: Type.Optional(Type.Enum(['keep', 'remove'])),
  /** Has NodeEngine's process be NetManager, too. The start scripts read it, not NetManager. */
  InNodeEngine: Type.Optional(Type.Boolean()),
});
export type NetConfig = Static<typeof NetConfig>;

/** `tuncfg.json` of the net manager: the overlay's device and the MTU that bridge, links and tunnel share. */
export const TunnelConfig = Type.Object({
  HostTunnelDeviceName: Type.String({ default: 'goProxyTun' }),
  TunnelIP: Type.String({ default: '10.19.1.254' }),
  ProxySubnetwork: Type.String({ default: '10.30.0.0' }),
  ProxySubnetworkMask: Type.String({ default: '255.255.0.0' }),
  TunnelPort: Type.Integer({ minimum: 1, maximum: 65_535, default: 50_103 }),
  MTUsize: Type.Integer({ minimum: 1280, maximum: 65_535, default: 1450 }),
  TunNetIPv6: Type.String({ default: 'fcef::dead:beef' }),
  ProxySubnetworkIPv6: Type.String({ default: 'fcef::' }),
  ProxySubnetworkIPv6Prefix: Type.Integer({ minimum: 0, maximum: 128, default: 21 }),
});
export type TunnelConfig = Static<typeof TunnelConfig>;
