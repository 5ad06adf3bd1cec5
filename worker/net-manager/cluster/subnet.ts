import { SubnetResult } from '../../contract/net-mqtt.ts';
import { netTopics } from '../../contract/topics.ts';
import type { ClusterLink } from './cluster-link.ts';

const askAgainMs = 3_000;

/** Asks the cluster for the addresses of node `id`, again and again, until they come. Rejects when `signal` aborts. */
export const requestSubnet = async (link: ClusterLink, id: string, signal: AbortSignal): Promise<SubnetResult> => {
  const topics = netTopics(id);
  const { promise, resolve, reject } = Promise.withResolvers<SubnetResult>();
  const giveUp = () => reject(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });
  const ask = () => link.publish(topics.subnetRequest, { METHOD: 'GET' });
  // An answer that came before the subscription stands would be lost.
  void link.subscribe(topics.subnetResult, SubnetResult, resolve).then(ask);
  const again = setInterval(() => {
    if (link.trouble === undefined) ask();
  }, askAgainMs);
  try {
    return await promise;
  } finally {
    clearInterval(again);
    signal.removeEventListener('abort', giveUp);
  }
};
