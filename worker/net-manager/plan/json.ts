/** The objects in a list that a program prints as JSON; none where it is no list. */
export const objects = (value: unknown): readonly Readonly<Record<string, unknown>>[] =>
  Array.isArray(value) ? value.filter((each) => typeof each === 'object' && each !== null) : [];

/** What `nft -j` lists: one object for each table, chain, set or counter, by its kind. */
export const nftObjects = (json: unknown): readonly Readonly<Record<string, unknown>>[] =>
  objects(typeof json === 'object' && json !== null && 'nftables' in json ? json.nftables : undefined);

/** The packets of each counter in what `nft -j list counters` prints of tables; those of one name are added up. */
export const packetsIn = (tables: readonly unknown[]): ReadonlyMap<string, number> => {
  const totals = new Map<string, number>();
  for (const { name, packets } of tables.flatMap(nftObjects).flatMap(({ counter }) => objects([counter])))
    if (typeof name === 'string') totals.set(name, (totals.get(name) ?? 0) + Number(packets));
  return totals;
};
