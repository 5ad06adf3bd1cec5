import { createHash } from 'node:crypto';

/** A worker that registered; `fields` is the whole body of its registration. */
export type RegisteredWorker = {
  readonly id: string;
  readonly host: string;
  readonly architecture: string;
  readonly fields: Readonly<Record<string, unknown>>;
};

/** 24 hex digits, the same for the same text: a worker's identity is its host name. */
export const objectId = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 24);

/** True when a subscription to `filter` covers `topic`, which has no wildcards (MQTT 3.1.1, section 4.7). */
export const covers = (filter: string, topic: string): boolean => {
  const wanted = filter.split('/');
  const levels = topic.split('/');
  const hash = wanted.at(-1) === '#';
  const fixed = hash ? wanted.slice(0, -1) : wanted;
  return (
    (hash ? levels.length >= fixed.length : levels.length === fixed.length) &&
    fixed.every((level, i) => level === '+' || level === levels[i])
  );
};
