/**
 * Work that is cheaper for many items than for each: what is asked for while a batch is under way makes the next one.
 * `work` gives every item's result, in their order; when it fails, it fails for all of them.
 */
export const batched = <T, R>(work: (items: readonly T[]) => Promise<readonly R[]>): ((item: T) => Promise<R>) => {
  let last: Promise<unknown> = Promise.resolve();
  let waiting: { readonly items: T[]; readonly results: Promise<readonly R[]> } | undefined;

  const open = () => {
    const items: T[] = [];
    const begin = () => {
      waiting = undefined;
      return work(items);
    };
    const results = last.then(begin, begin);
    last = results;
    return { items, results };
  };

  return async (item) => {
    waiting ??= open();
    const { results } = waiting;
    const at = waiting.items.push(item) - 1;
    return (await results)[at] as R;
  };
};
