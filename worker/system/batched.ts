/**
 * Work that is cheaper for many items than for each: what is asked for while a batch is under way makes the next one.
 * The result settles as the batch does that its item was part of.
 */
export const batched = <T>(work: (items: readonly T[]) => Promise<unknown>): ((item: T) => Promise<void>) => {
  let last: Promise<unknown> = Promise.resolve();
  let waiting: { readonly items: T[]; readonly done: Promise<void> } | undefined;

  const open = () => {
    const items: T[] = [];
    const begin = async () => {
      waiting = undefined;
      await work(items);
    };
    const done = last.then(begin, begin);
    last = done;
    return { items, done };
  };

  return (item) => {
    waiting ??= open();
    waiting.items.push(item);
    return waiting.done;
  };
};
