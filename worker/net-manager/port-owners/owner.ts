import { isIP } from 'node:net';
import { overlaps } from '../plan/addresses.ts';

/** What a rule looks at in a packet: `address` and `type` are the destination's; `other` is not understood. */
export type Field = 'port' | 'protocol' | 'address' | 'type' | 'other';

/** A condition: one of the keys fits, each with a part for every field; with `not`, none of them. */
export type Match = {
  readonly fields: readonly Field[];
  readonly keys: readonly (readonly string[])[];
  readonly not: boolean;
};

/** What a rule does: gives the packet another destination, ends the chain or the table, or goes on in another chain. */
export type Verdict = 'map' | 'return' | 'stop' | { readonly to: string; readonly back: boolean };

/** `certain` is set when all conditions were understood. */
export type Rule = { readonly matches: readonly Match[]; readonly certain: boolean; readonly verdict: Verdict };

export type Chain = { readonly hook: string | undefined; readonly rules: readonly Rule[] };

/** A table of the kernel's firewall, such as `ip nat`, with its chains by name. */
export type Table = { readonly name: string; readonly chains: ReadonlyMap<string, Chain> };

/** A port of this board, and the networks or addresses that are the board's own. */
export type PortQuery = {
  readonly host: number;
  readonly protocol: 'tcp' | 'udp';
  readonly locals: readonly string[];
};

const protocols = { tcp: ['tcp', '6'], udp: ['udp', '17'] } as const;

const inRange = (key: string, port: number): boolean => {
  const [first = '', last = first] = key.split(/[-:]/);
  return port >= Number(first || 0) && port <= Number(last || 65_535);
};

const isNetwork = (key: string): boolean => {
  const [address = '', length = '0'] = key.split('/');
  return isIP(address) > 0 && /^\d+$/.test(length) && Number(length) <= (isIP(address) === 4 ? 32 : 128);
};

const fits = (field: Field | undefined, key: string, query: PortQuery): boolean => {
  if (key === '*') return true;
  switch (field) {
    case 'port':
      return inRange(key, query.host);
    case 'protocol':
      return key === 'all' || (protocols[query.protocol] as readonly string[]).includes(key);
    case 'type':
      return key.toLowerCase() === 'local';
    case 'address':
      return !isNetwork(key) || query.locals.some((local) => overlaps(key, local));
    default:
      return true;
  }
};

/** True when a packet to the port can meet the condition. */
const canMeet = ({ fields, keys, not }: Match, query: PortQuery): boolean => {
  // A board has more addresses than the ones that such a condition leaves out.
  if (not && fields.some((field) => field === 'address' || field === 'other')) return true;
  return keys.some((key) => fields.every((field, at) => fits(field, key[at] ?? '*', query))) !== not;
};

/** True when every packet to the port that gets here meets the rule's conditions. */
const isSure = ({ certain, matches }: Rule): boolean =>
  certain && matches.every(({ fields }) => fields.every((field) => field === 'port' || field === 'protocol'));

const looksAt = (rule: Rule, ...fields: readonly Field[]): boolean =>
  rule.matches.some((match) => match.fields.some((field) => fields.includes(field)));

type Walk = { readonly port: boolean; readonly local: boolean };

/**
 * The chain, with its table, whose rules give connections to a port of this board another destination;
 * undefined when there is none. A rule for all ports owns none of them; in the output hook, which sees everything that
 * the board sends, only a rule for the board's own addresses counts.
 */
export const ownerOf = (tables: readonly Table[], query: PortQuery): string | undefined => {
  const walk = (
    table: Table,
    name: string,
    before: Walk,
    everywhere: boolean,
    seen: Set<string>,
  ): string | undefined => {
    const step = `${name} ${before.port} ${before.local}`;
    if (seen.has(step)) return undefined;
    seen.add(step);
    for (const rule of table.chains.get(name)?.rules ?? []) {
      if (!rule.matches.every((match) => canMeet(match, query))) continue;
      const now = {
        port: before.port || looksAt(rule, 'port'),
        local: before.local || looksAt(rule, 'address', 'type'),
      };
      const { verdict } = rule;
      if (verdict === 'map' && now.port && (everywhere || now.local)) return `table ${table.name}, chain ${name}`;
      if (typeof verdict === 'object') {
        const found = walk(table, verdict.to, now, everywhere, seen);
        if (found !== undefined) return found;
        if (verdict.back) continue;
      }
      if (isSure(rule)) return undefined;
    }
    return undefined;
  };
  for (const table of tables)
    for (const [name, { hook }] of table.chains) {
      if (hook !== 'prerouting' && hook !== 'output') continue;
      const found = walk(table, name, { port: false, local: false }, hook === 'prerouting', new Set());
      if (found !== undefined) return found;
    }
  return undefined;
};
