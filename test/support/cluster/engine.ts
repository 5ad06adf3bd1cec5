import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { problemsOf } from '../../../worker/contract/check.ts';
import { JobStatusMessage, ResourcesMessage400, ResourcesMessage403 } from '../../../worker/contract/job.ts';
import { type Dialect, nodeFields, registrationPath } from '../../../worker/contract/registration.ts';
import { type Message, startBroker } from './broker.ts';
import { askerOf } from './net.ts';

export type Cluster = Awaited<ReturnType<typeof startCluster>>;

const textOf = async (request: IncomingMessage): Promise<string> => {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
};

const schemaOf = (topic: string, dialect: Dialect) => {
  if (topic.endsWith('/information')) return nodeFields(dialect);
  if (topic.endsWith('/jobs/resources')) return dialect === '403' ? ResourcesMessage403 : ResourcesMessage400;
  return topic.endsWith('/job') ? JobStatusMessage : undefined;
};

/** Key and certificate in PEM. With them the cluster speaks TLS and wants such a certificate of workers, too. */
export type TlsFiles = { readonly key: string; readonly cert: string; readonly ca?: string };

/**
 * The cluster as a NodeEngine sees it, on 127.0.0.1: registration, broker and files. Every message is checked; faults
 * collect in `violations`. With `subnet` a NetManager is served, too, at the broker that it is told.
 */
export const startCluster = async (
  options: {
    dialect?: Dialect;
    register?: (times: number) => string | number;
    connected?: () => void;
    tls?: TlsFiles;
    subnet?: { readonly address: string; readonly addressv6: string };
  } = {},
) => {
  const { dialect = '403', register = () => 'a'.repeat(24), connected = () => {}, tls, subnet } = options;
  const registrations: Record<string, unknown>[] = [];
  const violations: string[] = [];
  const files = new Map<string, (request: IncomingMessage, response: ServerResponse) => void>();

  const received = ({ topic, body }: Message) => {
    if (subnet && /^nodes\/[^/]+\/net\//.test(topic)) {
      const id = askerOf(topic);
      if (id !== undefined) void broker.publish(`nodes/${id}/net/subnetwork/result`, subnet);
      return;
    }
    const schema = schemaOf(topic, dialect);
    if (schema === undefined) violations.push(`unknown topic ${topic}`);
    else violations.push(...problemsOf(schema, body).map((problem) => `${topic}: ${problem}`));
  };
  const secure = tls && { ca: tls.cert, ...tls, requestCert: true };
  const broker = await startBroker(secure ? { tls: secure } : {}, { received, connected });
  const { messages, until } = broker;

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const file = files.get(request.url ?? '');
    if (file) return file(request, response);
    if (request.url !== registrationPath) return response.writeHead(404).end('no such file');
    const body = JSON.parse(await textOf(request)) as Record<string, unknown>;
    const problems = problemsOf(nodeFields(dialect), body);
    registrations.push(body);
    broker.changed();
    const id = problems.length > 0 ? 500 : register(registrations.length);
    if (typeof id === 'number') return response.writeHead(id).end(problems.join('; ') || 'not now');
    return response.end(JSON.stringify({ id, MQTT_BROKER_PORT: String(broker.port) }));
  };
  const api = tls ? createHttpsServer(tls, answer) : createServer(answer);
  api.listen(0, '127.0.0.1');
  await once(api, 'listening');
  const { port } = api.address() as AddressInfo;
  /** Resolves when a client has broken off the handshake. */
  const refused = once(api, 'tlsClientError');

  const statuses = (instance = 0) =>
    messages
      .filter(({ topic, body }) => topic.endsWith('/job') && body['instance'] === instance)
      .map(({ body }) => body['status']);

  return {
    port,
    messages,
    registrations,
    violations,
    statuses,
    refused,
    until,
    /** The next or an earlier status message with this status. */
    status: (status: string, instance = 0) =>
      until(
        () =>
          messages.find(
            ({ topic, body }) => topic.endsWith('/job') && body['status'] === status && body['instance'] === instance,
          )?.body,
        `status ${status}`,
      ),
    /** A later report that names exactly these instances. */
    reported: (...instances: readonly number[]) => {
      const from = messages.length;
      const named = ({ body }: Message) =>
        (body['services'] as readonly { instance: number }[] | undefined)?.map(({ instance }) => instance).sort();
      return until(
        () => messages.slice(from).find((one) => JSON.stringify(named(one)) === JSON.stringify(instances)),
        `report of ${instances.join()}`,
      );
    },
    /** Serves a file under `/name`; resolves with its URL, digest included. */
    offer: async (name: string, file: URL | string): Promise<string> => {
      const bytes = await readFile(file);
      files.set(`/${name}`, (_, response) => response.end(bytes));
      return `http://127.0.0.1:${port}/${name}#sha256=${createHash('sha256').update(bytes).digest('hex')}`;
    },
    /** Answers `/name` with `handler`. */
    serve: (name: string, handler: (request: IncomingMessage, response: ServerResponse) => void) =>
      files.set(`/${name}`, handler),
    send: (order: 'deploy' | 'delete' | 'error', body: unknown, id = 'a'.repeat(24), retain = false) =>
      broker.publish(`nodes/${id}/control/${order}`, body, { qos: 0, retain }),
    /** Breaks every connection to the broker. */
    hangUp: broker.hangUp,
    /** Resolves when the worker has subscribed. */
    subscribed: () =>
      until(() => (messages.some(({ topic }) => topic.endsWith('/information')) ? true : undefined), 'information'),
    [Symbol.asyncDispose]: async () => {
      await broker[Symbol.asyncDispose]();
      api.closeAllConnections();
      api.close();
    },
  };
};
