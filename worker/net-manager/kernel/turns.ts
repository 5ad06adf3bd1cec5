/** Work on single instances that is under way; the node's part changes as a whole only while there is none. */
const underWay = new Set<Promise<unknown>>();
let whole: Promise<unknown> = Promise.resolve();

/** Changes the node's part as a whole: what the journal says of instances stays true meanwhile. */
export const alone = <T>(work: () => Promise<T>): Promise<T> => {
  const turn = whole.then(() => Promise.allSettled(underWay)).then(work);
  whole = turn.catch(() => undefined);
  return turn;
};

/** Makes or removes an instance beside others, but not while the node's part changes as a whole. */
export const beside = async <T>(work: () => Promise<T>): Promise<T> => {
  for (let seen: unknown; seen !== whole; await seen) seen = whole;
  const working = work();
  underWay.add(working);
  return working.finally(() => underWay.delete(working));
};
