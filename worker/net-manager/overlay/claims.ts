/** Inner sources that datagrams of other nodes claim to come from, while the cluster is asked whether they are there. */
export type Claims = {
  /**
   * Takes the sources of the datagrams that are held for a node. Returns those to ask the cluster about: none when all
   * are known to be of that node or known not to be, and the datagrams can be let go.
   */
  readonly claim: (node: string, sources: readonly string[]) => readonly string[];
  /** Answers about the sources that `is` picks have been taken. Returns the nodes that wait for no other. */
  readonly answered: (is: (source: string) => boolean) => readonly string[];
};

/** So many inner sources are asked after for one node. */
const mostSources = 16;

/** What {@link openClaims} works with. */
export type ClaimParts = {
  /** True when a source is known to be an instance of a node. */
  readonly isFrom: (node: string, source: string) => boolean;
  /** For so long, in ms, the answer counts that a source is not of a node, and a node waits for answers. */
  readonly pace: { readonly denied: number; readonly held: number };
  /** Milliseconds of a clock that only goes on. */
  readonly now: () => number;
};

/** Begins with no node waiting. */
export const openClaims = ({ isFrom, pace, now }: ClaimParts): Claims => {
  const open = new Map<string, { readonly sources: Set<string>; readonly since: number }>();
  const denied = new Map<string, number>();

  const prune = (): void => {
    for (const [node, { since }] of open) if (now() - since > pace.held) open.delete(node);
    for (const [claim, since] of denied) if (now() - since > pace.denied) denied.delete(claim);
  };

  return {
    claim: (node, sources) => {
      prune();
      const asked = sources
        .filter((source) => !isFrom(node, source) && !denied.has(`${node} ${source}`))
        .slice(0, mostSources);
      if (asked.length > 0) open.set(node, { sources: new Set(asked), since: now() });
      else open.delete(node);
      return asked;
    },
    answered: (is) => {
      prune();
      return [...open].flatMap(([node, { sources }]) => {
        for (const source of [...sources].filter(is)) {
          sources.delete(source);
          if (!isFrom(node, source)) denied.set(`${node} ${source}`, now());
        }
        if (sources.size > 0) return [];
        open.delete(node);
        return [node];
      });
    },
  };
};
