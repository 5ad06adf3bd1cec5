import mqtt, { type MqttClient } from 'mqtt';
import type { Cluster } from '../../../lab/cluster/cluster.ts';
import { registrationPath } from '../../../worker/contract/registration.ts';
import { engineTopics, netTopics } from '../../../worker/contract/topics.ts';

export const fields403 = {
  id: '',
  host: 'board',
  ip: '10.0.2.15',
  port: '3000',
  system_info: {},
  architecture: 'arm64',
  disk_info: {},
  network_info: {},
  gpu_driver: '-',
  gpu_usage: 0,
  gpu_temp: 0,
  supported_addons: [],
  cpu_percent: 3.5,
  vcpus: 4,
  memory_percent: 12,
  memory: 900,
  virtualization: ['wasm'],
  vgpus: 0,
  vram_percent: 0,
  vram: 0,
  csi_drivers: [],
};

/** Where a cluster listens. */
type Ports = Pick<Cluster, 'registrationPort' | 'brokerPort'>;

export const postRegistration = (cluster: Ports, body: unknown): Promise<Response> =>
  fetch(`http://127.0.0.1:${cluster.registrationPort}${registrationPath}`, {
    method: 'POST',
    body: JSON.stringify(body),
  });

/** A client that keeps what arrives, so that a test can wait for it. */
export class Recorder implements AsyncDisposable {
  readonly client: MqttClient;
  readonly #seen: { readonly topic: string; readonly payload: unknown }[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(client: MqttClient) {
    this.client = client;
    client.on('message', (topic, payload) => {
      this.#seen.push({ topic, payload: JSON.parse(payload.toString()) });
      for (const look of this.#waiting) look();
    });
  }

  /** The next message on `topic` that was not taken yet. */
  async next(topic: string): Promise<unknown> {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const look = () => {
      const at = this.#seen.findIndex((message) => message.topic === topic);
      if (at < 0) return;
      // what arrives together with it is the next one's
      this.#waiting.delete(look);
      resolve(this.#seen.splice(at, 1)[0]?.payload);
    };
    this.#waiting.add(look);
    look();
    try {
      return await promise;
    } finally {
      this.#waiting.delete(look);
    }
  }

  send(topic: string, payload: unknown, qos: 0 | 1 = 1, retain = false): Promise<unknown> {
    return this.client.publishAsync(topic, typeof payload === 'string' ? payload : JSON.stringify(payload), {
      qos,
      retain,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.endAsync(true);
  }
}

export const connect = async (cluster: Ports, clientId: string, topics: readonly string[]): Promise<Recorder> => {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${cluster.brokerPort}`, { clientId, reconnectPeriod: 50 });
  const recorder = new Recorder(client);
  if (topics.length > 0) await client.subscribeAsync([...topics], { qos: 1 });
  return recorder;
};

/** A worker that registered and did everything that comes before the first deployment. */
export const joinAsWorker = async (cluster: Ports, stack: AsyncDisposableStack, host = fields403.host) => {
  const answer = await postRegistration(cluster, { ...fields403, host });
  const { id } = (await answer.json()) as { id: string };
  const engineTopic = engineTopics(id);
  const netTopic = netTopics(id);
  const manager = stack.use(await connect(cluster, id, [netTopic.subnetResult, netTopic.tableResult]));
  await manager.send(netTopic.subnetRequest, { METHOD: 'GET' });
  const subnet = await manager.next(netTopic.subnetResult);
  const engine = stack.use(await connect(cluster, `${id}-ne`, [engineTopic.deploy, engineTopic.delete]));
  const job = (status: string, detail = '') =>
    engine.send(engineTopic.job, { sname: service, status, status_detail: detail, instance: 0, publicip: '10.0.2.15' });
  return { id, manager, engine, engineTopic, netTopic, subnet, job };
};

export const service = 'hello.test.web.test';

export const deployedMessage = {
  appname: service,
  status: 'DEPLOYED',
  instance_number: 0,
  nsip: '10.10.0.2',
  nsipv6: 'fc00::2',
  host_ip: '10.0.2.15',
  host_port: '50103',
};

export const resourcesMessage = (name = service) => ({
  services: [
    {
      cpu_percent: '1.2',
      memory_percent: '0.4',
      disk: '0',
      logs: '',
      job_name: name,
      virtualization: 'wasm',
      instance: 0,
    },
  ],
});
