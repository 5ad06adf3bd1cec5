import type { MqttClient } from 'mqtt';
import { DeleteRequest } from '../../contract/job.ts';
import type { Log } from '../../system/log.ts';
import { type Broker, endMqtt, maxMessageBytes, openMqtt } from '../../system/mqtt.ts';
import { abortable } from '../../system/wait.ts';

/** The broker cannot be reached. */
class BrokerError extends Error {
  override readonly name = 'BrokerError';
}

const connectMs = 20_000;

/**
 * Connects once, as `clientId`; whoever calls decides what a lost connection means. With TLS the broker's certificate
 * is checked against the system's store. Throws {@link BrokerError}, also when `signal` aborts.
 */
export const connectBroker = async (
  broker: Broker,
  clientId: string,
  log: Log,
  signal: AbortSignal,
): Promise<MqttClient> => {
  const shortened = (bytes: number) =>
    log.warn(`a message of ${bytes} bytes is not read, except for whom it names: at most ${maxMessageBytes} bytes are`);
  let client: MqttClient | undefined;
  try {
    const options = { clientId, reconnectPeriod: 0, connectTimeout: connectMs, keepalive: 20 };
    client = await openMqtt(broker, options, shortened, Object.keys(DeleteRequest.properties));
    const { promise: connected, resolve, reject } = Promise.withResolvers<void>();
    client.once('connect', () => resolve());
    client.on('error', reject); // and never without a listener
    client.once('close', () => reject(new Error('the broker closed the connection')));
    await abortable(connected, signal);
    return client;
  } catch (error) {
    if (client !== undefined) await endMqtt(client);
    throw new BrokerError(`the broker at ${broker.host}:${broker.port} cannot be reached`, { cause: error });
  }
};
