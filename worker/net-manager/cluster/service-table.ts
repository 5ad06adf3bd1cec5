import { TableResult, UpdateAvailable } from '../../contract/net-mqtt.ts';
import { netTopics, updatesTopic } from '../../contract/topics.ts';
import type { Log } from '../../system/log.ts';
import type { ClusterLink } from './cluster-link.ts';

/**
 * What this node keeps asking the cluster about: services that it runs instances of, services that its instances use,
 * and addresses that nobody here knows yet. A query registers the interest, the cluster announces changes, and each of
 * them is asked after.
 */
export type ServiceTable = Disposable & {
  /** Follows a service that has instances here; returns at once, whatever the cluster does. */
  readonly follow: (service: string) => void;
  /** The service has no instances here any more; it is followed for some time yet. */
  readonly unfollow: (service: string) => void;
  /** Asks after a service or an address soon, once for all who ask meanwhile. */
  readonly ask: (key: string) => void;
  /** Asks after a service again in a while, and in a longer one the next time, until something changes. */
  readonly askLater: (service: string) => void;
  /** Asks after a service again when its last answer is older than this, in ms. */
  readonly refresh: (service: string, ageMs: number) => void;
  /** Loses interest in a service or an address at once, and in the addresses that it was found by. */
  readonly drop: (key: string) => void;
  /** An address belongs to a service: from now on that is followed, and by the address, too. */
  readonly adopt: (address: string, service: string) => void;
};

/** Takes an answer for a service's name or an address that was asked for. */
export type Answered = (key: string, result: TableResult) => void;

/** Milliseconds. */
const pace = { answer: 5_000, between: 250, loseInterest: 10_000, again: 1_000, longest: 60_000 } as const;

type Interest = {
  readonly key: string;
  /** Addresses whose changes mean this service. */
  readonly aliases: Set<string>;
  lastAsked: number;
  pauseMs: number;
  /** A query is under way. */
  waiting: boolean;
  timer?: NodeJS.Timeout | undefined;
  losing?: NodeJS.Timeout | undefined;
};

const isName = (key: string): boolean => !/^[\d.]+$|:/.test(key);

/** The table of node `id`. A service that is not answered in time is asked after again, and everything on reconnecting. */
export const createServiceTable = (link: ClusterLink, id: string, answered: Answered, log: Log): ServiceTable => {
  const topics = netTopics(id);
  const interests = new Map<string, Interest>();

  const query = (one: Interest): void => {
    clearTimeout(one.timer);
    one.timer = undefined;
    // All are asked after when the broker is back; until then their number would grow for as long as it is away.
    if (link.trouble !== undefined) return;
    [one.waiting, one.lastAsked] = [true, performance.now()];
    one.timer = setTimeout(() => {
      one.waiting = false;
      log.warn(`the cluster did not say where ${one.key} is`);
      if (isName(one.key)) later(one);
    }, pace.answer).unref();
    link.publish(topics.tableRequest, isName(one.key) ? { sname: one.key, sip: '' } : { sname: '', sip: one.key });
  };

  const later = (one: Interest): void => {
    clearTimeout(one.timer);
    one.timer = setTimeout(() => query(one), one.pauseMs).unref();
    one.pauseMs = Math.min(2 * one.pauseMs, pace.longest);
  };

  /** No more than some queries a second for each, however often it changes. */
  const soon = (one: Interest): void => {
    const wait = pace.between - (performance.now() - one.lastAsked);
    if (wait <= 0) query(one);
    else if (one.waiting || one.timer === undefined) {
      clearTimeout(one.timer);
      one.timer = setTimeout(() => query(one), wait).unref();
    }
  };

  const changed = (one: Interest): void => {
    one.pauseMs = pace.again;
    soon(one);
  };

  const begin = (key: string): Interest => {
    const known = interests.get(key);
    if (known) return known;
    const begun: Interest = {
      ...{ key, aliases: new Set<string>(), waiting: false },
      ...{ lastAsked: -pace.between, pauseMs: pace.again },
    };
    interests.set(key, begun);
    void link.subscribe(updatesTopic(key), UpdateAvailable, () => changed(begun));
    return begun;
  };

  const end = (key: string): void => {
    const one = interests.get(key);
    if (!one) return;
    clearTimeout(one.timer);
    clearTimeout(one.losing);
    interests.delete(key);
    for (const each of [key, ...one.aliases]) {
      link.unsubscribe(updatesTopic(each));
      link.publish(topics.interestRemove, { appname: each });
    }
  };

  void link.subscribe(topics.tableResult, TableResult, (result) => {
    const { app_name: name, query_key: asked, instance_list: instances } = result;
    const one = interests.get(asked ?? '') ?? interests.get(name ?? '');
    if (!one) {
      log.debug(`an answer for ${asked ?? name ?? 'nothing'} that nobody asked for`);
      return;
    }
    if (one.waiting) {
      clearTimeout(one.timer);
      one.timer = undefined;
      one.waiting = false;
    }
    log.debug(`${one.key}: ${instances.length} instances in the cluster`);
    answered(one.key, result);
  });
  const reconnected = link.onConnect(() => {
    for (const one of interests.values()) query(one);
  });

  return {
    follow: (service) => {
      const known = interests.has(service);
      const one = begin(service);
      clearTimeout(one.losing);
      one.losing = undefined;
      if (!known) query(one);
    },
    unfollow: (service) => {
      const one = interests.get(service);
      if (!one) return;
      clearTimeout(one.losing);
      one.losing = setTimeout(() => end(service), pace.loseInterest).unref();
    },
    ask: (key) => {
      const one = begin(key);
      if (!one.waiting) soon(one);
    },
    askLater: (service) => {
      const one = interests.get(service);
      if (one && !one.waiting) later(one);
    },
    refresh: (service, ageMs) => {
      const one = begin(service);
      if (performance.now() - one.lastAsked > ageMs) soon(one);
    },
    drop: end,
    adopt: (address, service) => {
      const one = begin(service);
      const asked = interests.get(address);
      clearTimeout(asked?.timer);
      interests.delete(address);
      one.aliases.add(address);
      void link.subscribe(updatesTopic(address), UpdateAvailable, () => changed(one));
    },
    [Symbol.dispose]: () => {
      reconnected[Symbol.dispose]();
      for (const { losing, timer } of interests.values()) {
        clearTimeout(losing);
        clearTimeout(timer);
      }
    },
  };
};
