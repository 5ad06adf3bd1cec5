import { type Listening, type Message, startBroker } from './broker.ts';

/** The worker whose NetManager asks for its subnet by a message to this topic. */
export const askerOf = (topic: string): string | undefined =>
  /^nodes\/(?<id>[^/]+)\/net\/subnet$/.exec(topic)?.groups?.['id'];

/** The cluster as a NetManager sees it: a broker that answers subnet requests, and what was published on it. */
export const startNetCluster = async (
  subnet = { address: '10.10.0.0', addressv6: 'fc00::100' },
  listening: Listening = {},
) => {
  const broker = await startBroker(listening, {
    received: ({ topic }) => {
      const id = askerOf(topic);
      if (id !== undefined) void broker.publish(`nodes/${id}/net/subnetwork/result`, subnet);
    },
  });
  return {
    ...broker,
    /** The first message, past or future, that `accept` takes. */
    message: (accept: (message: Message) => boolean): Promise<Message> =>
      broker.until(() => broker.messages.find(accept), 'such message'),
  };
};
