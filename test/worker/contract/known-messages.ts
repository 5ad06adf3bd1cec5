import { readFileSync } from 'node:fs';
import type { TSchema } from 'typebox';
import { EngineConfig, NetConfig, TunnelConfig } from '../../../worker/contract/config.ts';
import { ControlError, DeleteRequest, readDeployRequest } from '../../../worker/contract/job.ts';
import {
  NetDeployRequest,
  NetUndeployRequest,
  RegisterRequest,
  readDeployAnswer,
} from '../../../worker/contract/net-http.ts';
import { SubnetResult, TableResult, UpdateAvailable } from '../../../worker/contract/net-mqtt.ts';
import { readJson, type Warn } from '../../../worker/contract/read.ts';
import { RegistrationAnswer } from '../../../worker/contract/registration.ts';
import type { Document } from './attempt.ts';

/** A message as its sender writes it, and which keys nothing can be done without. */
export type Known = {
  readonly good: Document;
  readonly needed: readonly string[];
  /** Keys whose value, if it cannot be used, is no less than a refusal. */
  readonly refused?: readonly string[];
  readonly read: (text: string, note: Warn) => unknown;
};

export const document = (name: string): Document =>
  JSON.parse(readFileSync(new URL(`documents/${name}.json`, import.meta.url), 'utf8')) as Document;

const as = (schema: TSchema) => (text: string, note: Warn) => readJson(schema, text, 'it', note);

const jobRefused = ['cmd', 'environment', 'port', 'memory', 'vcpus', 'one_shot'];
const confRefused = ['cluster_ssl', 'mqtt_cert_file', 'mqtt_key_file'];
export const answer = { serviceName: 'a.b.c.d', nsAddress: '10.18.0.2/26' };
export const known: Readonly<Record<string, Known>> = {
  'conf.json of the development branch': {
    ...{ good: document('develop-default'), needed: ['cluster_address'], refused: confRefused },
    read: as(EngineConfig),
  },
  'conf.json with a storage driver': {
    ...{ good: document('with-csi-driver'), needed: ['cluster_address'], refused: confRefused },
    read: as(EngineConfig),
  },
  'netcfg.json': {
    good: {
      ...{ NodePublicAddress: '0.0.0.0', NodePublicPort: '50103', ClusterUrl: '0.0.0.0', ClusterMqttPort: '10003' },
      ...{ DefaultInterface: 'eth0', Debug: false, PublicIPNetworking: false, MqttCert: '', MqttKey: '', MqttCa: '' },
      ...{ WasmTopology: 'veth', Egress: ['10.0.0.0/8', 'fd00::/8'], OnStop: 'keep' },
    },
    needed: [],
    refused: ['NodePublicAddress', 'ClusterUrl', 'MqttCert', 'MqttKey', 'MqttCa', 'Egress'],
    read: as(NetConfig),
  },
  'tuncfg.json': {
    good: {
      ...{ HostTunnelDeviceName: 'tun', TunnelIP: '10.19.1.1', ProxySubnetwork: '10.31.0.0', TunnelPort: 50_104 },
      ...{ ProxySubnetworkMask: '255.255.0.0', MTUsize: 1400, TunNetIPv6: 'fcef::1', ProxySubnetworkIPv6: 'fdff::' },
      ProxySubnetworkIPv6Prefix: 16,
    },
    needed: [],
    read: as(TunnelConfig),
  },
  'the answer to a registration': {
    good: { id: 'a'.repeat(24), MQTT_BROKER_PORT: '1883' },
    needed: ['id'],
    read: as(RegistrationAnswer),
  },
  'a job of the dashboard': {
    good: document('job-as-the-dashboard-sends-it'),
    ...{ needed: ['job_name', 'instance_number', 'image'], refused: jobRefused },
    read: readDeployRequest,
  },
  'a job with everything': {
    good: {
      ...document('job-as-the-dashboard-sends-it'),
      ...{ cmd: ['serve', '--fast'], environment: ['A=1', 'B=2', 'C='], one_shot: true, memory: 64.5 },
    },
    ...{ needed: ['job_name', 'instance_number', 'image'], refused: jobRefused },
    read: readDeployRequest,
  },
  'control/delete': {
    good: { job_name: 'a.b.c.d', instance_number: 3, virtualization: 'wasm' },
    needed: ['job_name', 'instance_number'],
    read: as(DeleteRequest),
  },
  'control/error': { good: { message: 'Node not registered' }, needed: [], read: as(ControlError) },
  'a subnet': {
    good: { address: '10.18.0.0', addressv6: 'fc00::' },
    needed: ['address', 'addressv6'],
    read: as(SubnetResult),
  },
  'a service table': { good: document('table-result-not-deployed'), needed: [], read: as(TableResult) },
  'an update': { good: { type: 'DEPLOYMENT' }, needed: [], read: as(UpdateAvailable) },
  '/register': {
    good: { client_id: 'node1', cluster_address: '192.0.2.1' },
    needed: ['client_id'],
    read: as(RegisterRequest),
  },
  '/container/deploy': {
    good: { pid: 7, serviceName: 'a.b.c.d', instanceNumber: 0, portMappings: '80:80' },
    ...{ needed: ['serviceName', 'instanceNumber'], refused: ['pid', 'portMappings'] },
    read: as(NetDeployRequest),
  },
  '/container/undeploy': {
    good: { serviceName: 'a.b.c.d', instanceNumber: 0 },
    needed: ['serviceName', 'instanceNumber'],
    read: as(NetUndeployRequest),
  },
  "a net manager's answer": {
    good: { ...answer, nsAddressv6: 'fc00::2' },
    needed: ['nsAddress'],
    read: readDeployAnswer,
  },
  "pull 205's answer": { good: { ...answer, nsAddressV6: 'fc00::2' }, needed: ['nsAddress'], read: readDeployAnswer },
};
