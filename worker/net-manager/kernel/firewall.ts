import { run } from '../../system/run.ts';
import { table as own } from '../plan/ruleset.ts';

/** What matters of a node's whole firewall. */
export type Firewall = {
  /** Our table is there; another program may have flushed it. */
  readonly ours: boolean;
  /** The chains of others, as `family table chain`, that drop forwarded packets unless a rule of theirs accepts them. */
  readonly dropping: readonly string[];
};

/** Reads the text of `nft list chains`. */
export const parseFirewall = (text: string): Firewall => {
  const dropping: string[] = [];
  const tables = new Set<string>();
  let table = '';
  let chain = '';
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    table = /^table (?<name>\S+ \S+) \{$/.exec(line)?.groups?.['name'] ?? table;
    chain = /^chain (?<name>\S+) \{$/.exec(line)?.groups?.['name'] ?? chain;
    tables.add(table);
    if (/\bhook forward\b.*\bpolicy drop\b/.test(line) && table !== own) dropping.push(`${table} ${chain}`);
  }
  return { ours: tables.has(own), dropping };
};

/** What a user is told about foreign chains that drop, which an accept of ours does not override. */
export const forwardWarning = ({ dropping }: Firewall): string | undefined =>
  dropping.length === 0
    ? undefined
    : `forwarded traffic may be dropped by ${dropping.join(', ')} (policy drop, not ours); ` +
      'accept the instances there, or set that policy to accept';

/** Looks at this node's firewall. */
export const lookAtFirewall = async (): Promise<Firewall> => parseFirewall(await run(['nft', 'list', 'chains']));
