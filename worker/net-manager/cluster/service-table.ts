import { TableResult, UpdateAvailable } from '../../contract/net-mqtt.ts';
import { netTopics, updatesTopic } from '../../contract/topics.ts';
import type { Log } from '../../system/log.ts';
import type { ClusterLink } from './cluster-link.ts';

/**
 * The services whose instances, wherever they are, this node keeps asking the cluster about: those that it runs
 * instances of. A query registers the interest, the cluster announces changes, and each of them is asked after.
 */
export type ServiceTable = Disposable & {
  /** Follows a service; returns at once, whatever the cluster does. */
  readonly follow: (service: string) => void;
  /** Stops following a service some time after its last instance here has gone. */
  readonly unfollow: (service: string) => void;
};

const answerWithinMs = 5_000;
const loseInterestMs = 10_000;

type Followed = { losing?: NodeJS.Timeout | undefined; late?: NodeJS.Timeout | undefined };

/** The table of node `id`. A query that is not answered in time is repeated when the service changes or on reconnecting. */
export const createServiceTable = (link: ClusterLink, id: string, log: Log): ServiceTable => {
  const topics = netTopics(id);
  const followed = new Map<string, Followed>();

  const query = (service: string, state: Followed): void => {
    clearTimeout(state.late);
    state.late = setTimeout(() => log.warn(`the cluster did not say where ${service} is`), answerWithinMs).unref();
    link.publish(topics.tableRequest, { sname: service, sip: '' });
  };

  void link.subscribe(topics.tableResult, TableResult, (result) => {
    const { app_name, query_key, instance_list: instances } = result;
    const service = app_name ?? query_key ?? '';
    clearTimeout(followed.get(service)?.late);
    log.debug(`${service}: ${instances.length} instances in the cluster`);
  });
  const reconnected = link.onConnect(() => {
    for (const [service, state] of followed) query(service, state);
  });

  return {
    follow: (service) => {
      const known = followed.get(service);
      clearTimeout(known?.losing);
      if (known) return;
      const state: Followed = {};
      followed.set(service, state);
      void link.subscribe(updatesTopic(service), UpdateAvailable, () => query(service, state));
      query(service, state);
    },
    unfollow: (service) => {
      const state = followed.get(service);
      if (!state) return;
      clearTimeout(state.losing);
      state.losing = setTimeout(() => {
        clearTimeout(state.late);
        followed.delete(service);
        link.unsubscribe(updatesTopic(service));
        link.publish(topics.interestRemove, { appname: service });
      }, loseInterestMs).unref();
    },
    [Symbol.dispose]: () => {
      reconnected[Symbol.dispose]();
      for (const { losing, late } of followed.values()) {
        clearTimeout(losing);
        clearTimeout(late);
      }
    },
  };
};
