/** A file in a cache: `size` in bytes, `usedAt` in ms since 1970. */
export type Cached = { readonly name: string; readonly size: number; readonly usedAt: number };

/** What a cache may hold: bytes, and ms for which nobody has used a file. */
export type Budget = { readonly bytes: number; readonly unusedMs: number };

/**
 * The names to remove at the time `now`: what was not used for too long, and then the longest unused first, so that the
 * budget's bytes are left; nothing that somebody has.
 */
export const selectEvictions = (
  cached: readonly Cached[],
  budget: Budget,
  now: number,
  held: (name: string) => boolean,
): readonly string[] => {
  let total = cached.reduce((sum, { size }) => sum + size, 0);
  const removed: string[] = [];
  for (const { name, size, usedAt } of cached.toSorted((a, b) => a.usedAt - b.usedAt)) {
    if (total <= budget.bytes && now - usedAt <= budget.unusedMs) break;
    if (held(name)) continue;
    removed.push(name);
    total -= size;
  }
  return removed;
};

/**
 * By how much the clock was set since `seen`, in ms: a board without a clock of its own begins in 1970, or when it was
 * last on, and learns the time later. What nobody could use meanwhile has not grown old. A shorter pause than a file may
 * stay unused counts as time.
 */
export const clockShift = (seen: number | undefined, now: number, { unusedMs }: Budget): number =>
  seen === undefined || (now >= seen && now - seen <= unusedMs) ? 0 : now - seen;
