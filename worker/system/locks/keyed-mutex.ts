/** Runs a task after the ones of the same key that came before it, whether those failed or not. */
export type KeyedMutex = <T>(key: string, task: () => Promise<T>) => Promise<T>;

/** One queue a key: tasks of one key run one after the other, tasks of different keys side by side. */
export const keyedMutex = (): KeyedMutex => {
  const tails = new Map<string, Promise<unknown>>();
  return (key, task) => {
    const turn = (tails.get(key) ?? Promise.resolve()).then(task, task);
    tails.set(key, turn);
    const forget = () => {
      if (tails.get(key) === turn) tails.delete(key);
    };
    turn.then(forget, forget);
    return turn;
  };
};
