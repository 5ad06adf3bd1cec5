import { run } from '../system/run.ts';
import { table as own } from './ruleset.ts';

/**
 * The chains of others, as `family table chain`, that drop forwarded packets unless one of their rules accepts them,
 * from the text of `nft list chains`. An accept of ours does not override them.
 */
export const droppingChains = (text: string): readonly string[] => {
  const found: string[] = [];
  let table = '';
  let chain = '';
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    table = /^table (?<name>\S+ \S+) \{$/.exec(line)?.groups?.['name'] ?? table;
    chain = /^chain (?<name>\S+) \{$/.exec(line)?.groups?.['name'] ?? chain;
    if (/\bhook forward\b.*\bpolicy drop\b/.test(line) && table !== own) found.push(`${table} ${chain}`);
  }
  return found;
};

/** What a user is told about such chains, or undefined when there are none. */
export const forwardWarning = (chains: readonly string[]): string | undefined =>
  chains.length === 0
    ? undefined
    : `forwarded traffic may be dropped by ${chains.join(', ')} (policy drop, not ours); ` +
      'accept the instances there, or set that policy to accept';

/** Looks for such chains on this node. */
export const foreignWarning = async (): Promise<string | undefined> =>
  forwardWarning(droppingChains(await run(['nft', 'list', 'chains'])));
