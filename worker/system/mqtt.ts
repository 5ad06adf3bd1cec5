import { connect, isIP } from 'node:net';
import { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type IClientOptions, MqttClient } from 'mqtt';
import { PacketLimit } from './mqtt-limit.ts';
import { type TlsFiles, tlsOptions } from './trust.ts';

/** Where a broker is and how to speak to it. */
export type Broker = {
  readonly host: string;
  readonly port: number;
  /** Set when the connection is TLS. */
  readonly tls: TlsFiles | undefined;
};

/** The longest message that is taken, in bytes: a job document or the rows of a thousand instances are shorter. */
export const maxMessageBytes = 1024 * 1024;

/** How long a broker may take to acknowledge what it is sent, in ms. */
export const acknowledgeMs = 10_000;

/**
 * An MQTT client that is connecting. Of messages that are too long the values of `keys` come through, and `shortened` is
 * told their size ({@link PacketLimit}). Rejects when a file for TLS cannot be read.
 */
export const openMqtt = async (
  { host, port, tls }: Broker,
  options: Pick<IClientOptions, 'clientId' | 'keepalive' | 'reconnectPeriod' | 'connectTimeout' | 'resubscribe'>,
  shortened: (bytes: number) => void,
  keys: readonly string[] = [],
): Promise<MqttClient> => {
  let secure = tls && (await tlsOptions(tls));
  const open = () => {
    const socket = secure
      ? process.getBuiltinModule('node:tls').connect({ host, port, servername: isIP(host) ? '' : host, ...secure })
      : connect({ host, port });
    const limited = socket.pipe(new PacketLimit(maxMessageBytes, shortened, keys));
    const stream = Duplex.from({ readable: limited, writable: socket });
    // The client waits for "close", which half a connection never gives.
    limited.once('end', () => stream.destroy());
    return stream;
  };
  // Without a URL: the client would parse one with an outdated function and warn on every start.
  // Without its cache of all 65,536 numbers as bytes, which takes 7 MB and most of the time that a start takes.
  const fixed = { clean: true, protocolVersion: 4, protocolId: 'MQTT', writeCache: false } as const;
  const client = new MqttClient(open, { ...fixed, ...options });
  // What TLS needs may have changed: a renewed certificate, an authority put into the system's store.
  if (tls)
    client.on('reconnect', () => {
      tlsOptions(tls).then(
        (renewed) => {
          secure = renewed;
        },
        () => undefined,
      );
    });
  return client;
};

const endMs = 1000;

/** Breaks the connection off, whatever state it is in. */
export const endMqtt = async (client: MqttClient): Promise<void> => {
  // The end is no trouble, whatever the broken connection says of it.
  client.removeAllListeners('error').on('error', () => undefined);
  const ended = client.endAsync(true).catch(() => undefined);
  const limit = new AbortController();
  await Promise.race([ended, sleep(endMs, undefined, { signal: limit.signal, ref: false }).catch(() => undefined)]);
  limit.abort();
  client.stream.destroy();
};
