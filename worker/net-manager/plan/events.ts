import { bridge, hostLinkMark } from './instance.ts';
import { table } from './ruleset.ts';

/** What an event calls for: a look at the board, and into the instance behind the link with this number; or nothing. */
export type Call = { readonly board: boolean; readonly space?: number } | undefined;

const ours = new RegExp(`\\b(${bridge}|${hostLinkMark}\\d+)\\b`);

/**
 * Reads a line of `ip -o monitor all-nsid link address route netconf`. In a namespace of an instance only what goes
 * away matters, and names are those of the board's interfaces of the same number.
 */
export const callOfLink = (line: string): Call => {
  const found = /^\[nsid (?<space>\S+)\](?<event>.*)$/.exec(line)?.groups;
  const [space = 'current', event = line] = [found?.['space'], found?.['event']];
  if (space !== 'current') {
    const lost = event.startsWith('Deleted') || (/^\d+: \S+: </.test(event) && !/[<,]UP[,>]/.test(event));
    return lost && /^\d+$/.test(space) ? { board: false, space: Number(space) } : undefined;
  }
  if (/^inet6? \S+ forwarding on/.test(event)) return undefined;
  return ours.test(event) || /^inet6? all forwarding off/.test(event) ? { board: true } : undefined;
};

/** Reads a line of `nft monitor`. */
export const callOfRules = (line: string): Call =>
  new RegExp(`^delete \\w+ ${table}\\b|^add rule ${table}\\b|^(insert|replace) rule ${table}\\b`).test(line) ||
  line.startsWith('# ERROR')
    ? { board: true }
    : undefined;

/** True for a line of `nft monitor` by which another program may map a port of this board. */
export const mayMap = (line: string): boolean =>
  /^(add|insert|replace) (rule|element) /.test(line) && !line.includes(` ${table} `);
