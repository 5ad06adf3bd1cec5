import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { tlsOptions } from '../../system/trust.ts';
import type { Settings } from '../settings.ts';

/** The broker cannot be reached. */
class BrokerError extends Error {
  override readonly name = 'BrokerError';
}

/** Where the broker is and how to prove who is speaking. */
type BrokerAddress = {
  readonly host: string;
  readonly port: number;
  readonly certificate: Settings['certificate'];
};

/**
 * Connects once, as `clientId`; whoever calls decides what a lost connection means. With a certificate TLS is spoken
 * and the broker's own certificate checked against the system's store. Throws {@link BrokerError}.
 */
export const connectBroker = async (address: BrokerAddress, clientId: string): Promise<MqttClient> => {
  const { host, port, certificate } = address;
  try {
    const options: IClientOptions = {
      host,
      port,
      protocol: certificate === undefined ? 'mqtt' : 'mqtts',
      clientId,
      clean: true,
      reconnectPeriod: 0,
      connectTimeout: 20_000,
      keepalive: 20,
      ...(certificate === undefined ? {} : await tlsOptions({ client: certificate })),
    };
    // Without a URL: the client would parse one with an outdated function and warn on every start.
    return await connectAsync('', options, false);
  } catch (error) {
    throw new BrokerError(`the broker at ${host}:${port} cannot be reached`, { cause: error });
  }
};
