import { bridge, hostLinkMark } from './instance.ts';
import { ownTables, table } from './ruleset.ts';

/** What an event calls for: a look at the board, and into the instance behind the link with this number; or nothing. */
export type Call = { readonly board: boolean; readonly space?: number } | undefined;

const ours = new RegExp(`\\b(${bridge}|${hostLinkMark}\\d+)\\b`);

/**
 * Reads a line of `ip -o monitor all-nsid link address route netconf`. In a namespace of an instance only what goes
 * away matters, and names are those of the board's interfaces of the same number.
 */
export const linkEventNeed = (line: string): Call => {
  const found = /^\[nsid (?<space>\S+)\](?<event>.*)$/.exec(line)?.groups;
  const [space = 'current', event = line] = [found?.['space'], found?.['event']];
  if (space !== 'current') {
    const lost = event.startsWith('Deleted') || (/^\d+: \S+: </.test(event) && !/[<,]UP[,>]/.test(event));
    return lost && /^\d+$/.test(space) ? { board: false, space: Number(space) } : undefined;
  }
  if (/^inet6? \S+ forwarding on/.test(event)) return undefined;
  // A link under another name is known by the namespace that it leads into.
  if (/ link-netns \S+\.instance\.\d+\b/.test(event)) return { board: true };
  return ours.test(event) || /^inet6? all forwarding off/.test(event) ? { board: true } : undefined;
};

const calls = [
  new RegExp(`^delete \\w+ ${table}\\b|^(add|insert|replace) rule ${table}\\b`),
  // Firewalls of others that come, are changed where our accepts are, or go.
  /^(add|create|delete) chain (ip|ip6) filter (FORWARD|DOCKER-USER)\b/,
  /^(add|insert|replace|delete) rule (ip|ip6) filter (FORWARD|DOCKER-USER)\b/,
  /^add table inet firewalld\b/,
  /^# ERROR/,
];

/** Reads a line of `nft monitor`. */
export const rulesEventNeed = (line: string): Call =>
  calls.some((each) => each.test(line)) ? { board: true } : undefined;

/** True for a line of `nft monitor` by which another program may map a port of this board. */
export const mayMap = (line: string): boolean =>
  /^(add|insert|replace) (rule|element) /.test(line) && !ownTables.some((name) => line.includes(` ${name} `));
