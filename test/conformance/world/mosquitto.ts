import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import type { BrokerEvents } from '../../../lab/cluster/broker.ts';
import { messageOf } from '../../../lab/system/errors.ts';
import { fetchTools, type Program } from '../../../lab/system/packages/tools.ts';
import { deadline, until } from '../../../lab/system/wait.ts';
import { withoutDocker } from '../../support/docker.ts';
import { startRelay } from '../../support/servers/relay.ts';
import type { BrokerControl } from './cluster.ts';

/** Starts Mosquitto so that it answers on a unix socket in a folder. */
type StartMosquitto = (folder: string) => Promise<AsyncDisposable>;

const image = 'eclipse-mosquitto:2';
const mqttPort = 1883;
const startMs = 20_000;
const fetchMs = 120_000;

const socketIn = (folder: string): string => join(folder, 'mosquitto.sock');

/** A namespace has no way to a container's network, but unix sockets know no networks. */
const inContainer: StartMosquitto = async (folder) => {
  await using undo = new AsyncDisposableStack();
  // Loading it takes long, and most computers have no Docker.
  const { GenericContainer } = await import('testcontainers');
  const container = await new GenericContainer(image)
    .withExposedPorts(mqttPort)
    .withCommand(['mosquitto', '-c', '/mosquitto-no-auth.conf'])
    .start();
  undo.defer(async () => void (await container.stop()));
  const to = { host: container.getHost(), port: container.getMappedPort(mqttPort) };
  undo.use(await startRelay({ path: socketIn(folder) }, to));
  const running = undo.move();
  return running;
};

const asProcess =
  ({ file, args }: Program): StartMosquitto =>
  async (folder) => {
    const configuration = join(folder, 'mosquitto.conf');
    const socket = socketIn(folder);
    const user = process.getuid?.() === 0 ? 'user root\n' : '';
    await writeFile(configuration, `listener 0 ${socket}\nallow_anonymous true\n${user}`);
    const child = execFile(file, [...args, '-c', configuration]);
    let output = '';
    child.stderr?.on('data', (text) => (output += String(text)));
    const listening = () => {
      if (child.exitCode !== null) throw new Error(`mosquitto ended: ${output}`);
      return existsSync(socket) || undefined;
    };
    await until(listening, deadline(startMs, 'mosquitto to listen'));
    return { [Symbol.asyncDispose]: async () => void child.kill('SIGKILL') };
  };

/** How Mosquitto can be started on this computer: in a container, else out of Debian's packages; or why it can't be. */
export const findMosquitto = async (): Promise<StartMosquitto | string> => {
  const reason = await withoutDocker();
  if (reason === undefined) return inContainer;
  return fetchTools('broker', undefined, AbortSignal.timeout(fetchMs)).then(
    (tools) => asProcess(tools.program('usr/sbin/mosquitto')),
    (error: unknown) => `${reason}, and no package of it: ${messageOf(error)}`,
  );
};

const control = /\/(?:control\/\w+|subnetwork\/result|tablequery\/result)$/;

/** Topics tell who speaks: a client's name is a broker's own knowledge. */
const speakerOf = (topic: string): string => {
  const [, id = '', room] = topic.split('/');
  return room === 'net' ? id : `${id}-ne`;
};

/** Mosquitto in the place of the cluster's own broker; what is said on it is overheard as one more client. */
export class Mosquitto implements BrokerControl {
  readonly #folder: string;
  readonly #host: string;
  readonly #events: BrokerEvents;
  #relay: Awaited<ReturnType<typeof startRelay>> | undefined;
  #client: MqttClient | undefined;
  port = 0;

  constructor(folder: string, host: string, events: BrokerEvents) {
    this.#folder = folder;
    this.#host = host;
    this.#events = events;
  }

  async start(): Promise<void> {
    this.#relay = await startRelay({ host: this.#host, port: this.port }, { path: socketIn(this.#folder) });
    this.port = this.#relay.port;
    const client = await connectAsync(`mqtt://${this.#host}:${this.port}`, { protocolVersion: 5, reconnectPeriod: 0 });
    client.on('message', (topic, payload, { qos, retain, dup }) => {
      if (topic.startsWith('nodes/') && !control.test(topic))
        this.#events.published({ client: speakerOf(topic), topic, text: payload.toString(), qos, retain, dup });
    });
    await client.subscribeAsync('#', { qos: 2, nl: true, rap: true });
    this.#client = client;
  }

  async stop(): Promise<void> {
    await this.#client?.endAsync(true);
    await this.#relay?.[Symbol.asyncDispose]();
    this.#client = undefined;
    this.#relay = undefined;
  }

  publish(topic: string, text: string, qos: 0 | 1, retain = false): void {
    this.#client?.publish(topic, text, { qos, retain });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
