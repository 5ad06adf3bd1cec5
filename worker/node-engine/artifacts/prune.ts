/** A component in the cache: `size` in bytes, `usedAt` in ms. */
export type Cached = { readonly digest: string; readonly size: number; readonly usedAt: number };

/** Whether somebody has an item now; both a set and a map can tell. */
type Holders = { readonly has: (digest: string) => boolean };

/** The digests to remove, the longest unused first, so that `most` bytes are left; nothing that somebody has. */
export const surplus = (cached: readonly Cached[], most: number, held: Holders): readonly string[] => {
  let total = cached.reduce((sum, { size }) => sum + size, 0);
  const removed: string[] = [];
  for (const { digest, size } of cached.toSorted((a, b) => a.usedAt - b.usedAt)) {
    if (total <= most) break;
    if (held.has(digest)) continue;
    removed.push(digest);
    total -= size;
  }
  return removed;
};
