import { bridge, hostLinkMark } from './instance.ts';
import { hold, peerMark } from './overlay/names.ts';
import type { Command } from './plan.ts';
import type { Settings } from './settings.ts';

/** What finds our rules again in tables of others. */
const mark = 'oakestra';

/** One `filter` table that belongs to a program of iptables, and what of it concerns forwarded packets. */
export type Filter = {
  /** The program that reads and writes it, such as `ip6tables-legacy`. */
  readonly program: string;
  /** Where accepts go: `DOCKER-USER`, which Docker leaves to others and calls first, or else `FORWARD`. */
  readonly chain: string;
  /** It has rules or a policy of somebody's own: what it does not accept may be dropped. */
  readonly judges: boolean;
  /** Our rules, each as its chain and its words. */
  readonly marked: readonly string[];
};

/** The firewalls of other programs on a board, and what of ours is in them. */
export type Firewalls = {
  /** Our own table is there; another program may have flushed it. */
  readonly ours: boolean;
  /** The chains of others that forwarded packets pass, as `family table chain`, and those of iptables-legacy. */
  readonly others: readonly string[];
  readonly filters: readonly Filter[];
  /** The interfaces that lead to other machines. */
  readonly outward: readonly string[];
  /** The interfaces in firewalld's zone `trusted`; undefined when firewalld does not run. */
  readonly trusted: readonly string[] | undefined;
};

/** Reads the output of `iptables -S`. */
export const readFilter = (program: string, text: string): Filter => {
  const lines = text.split('\n').map((line) => line.trim());
  const isMarked = (line: string) => line.includes(`--comment ${mark} `);
  const inForward = lines.filter((line) => line.startsWith('-A FORWARD ') && !isMarked(line));
  return {
    program,
    chain: inForward.some((line) => line.endsWith('-j DOCKER-USER')) ? 'DOCKER-USER' : 'FORWARD',
    judges: inForward.length > 0 || lines.some((line) => /^-P FORWARD (?!ACCEPT)/.test(line)),
    marked: lines.flatMap((line) => (line.startsWith('-A ') && isMarked(line) ? [line.slice(3)] : [])),
  };
};

/** The instances' links by the one name, or beginning of names, that iptables and firewalld know them by. */
const linksName = ({ topology }: Settings): string => (topology === 'bridged' ? bridge : `${hostLinkMark}+`);

/**
 * The rules that keep a chain of iptables from dropping what our own table lets pass: an accept there overrides no drop
 * of ours. They are in the words of `iptables -S`. From instances only what leaves for other machines is accepted:
 * whether they reach the containers of another program remains that program's decision.
 */
const rulesFor = (settings: Settings, { chain }: Filter, outward: readonly string[]): readonly string[] => {
  const links = linksName(settings);
  const accept = (match: string) => `${chain} ${match} -m comment --comment ${mark} -j ACCEPT`;
  const overlay = settings.overlay === 'off' ? [] : [`${peerMark}+`, hold.near];
  return [
    accept(`-o ${links}`),
    ...[...outward, ...overlay].map((link) => accept(`-i ${links} -o ${link}`)),
    // What was held for an address of another board.
    ...(overlay.length > 0 ? [accept(`-i ${hold.far} -o ${peerMark}+`)] : []),
  ];
};

const words = (program: string, option: string, rule: string): readonly [string, ...string[]] => [
  program,
  '-w',
  '5',
  option,
  ...rule.split(' '),
];

const zone = (option: string, link: string): readonly [string, ...string[]] => [
  'firewall-cmd',
  '-q',
  '--zone=trusted',
  `--${option}-interface=${link}`,
];

/**
 * What makes the firewalls of others accept what the instances' own table lets pass, or not any longer when `settings`
 * is undefined. Chains of iptables get accepts that are marked as ours, as CNI plugins do it, and firewalld gets the
 * links in its zone `trusted` until it is reloaded; nothing is written to either's configuration. A table that somebody
 * wrote for nft itself has no place for rules of others, so it is left as it is and tried with a packet.
 */
export const acceptCommands = (settings: Settings | undefined, found: Firewalls): readonly Command[] => [
  ...found.filters.flatMap((filter) => {
    const { program, judges, marked } = filter;
    const wanted = settings && judges ? rulesFor(settings, filter, found.outward) : [];
    const gone = marked.filter((rule, at) => !wanted.includes(rule) || marked.indexOf(rule) !== at);
    const come = wanted.filter((rule) => !marked.includes(rule));
    return [
      ...gone.map((rule) => ({
        do: words(program, '-D', rule),
        is: `no rule ${rule} (${program})`,
      })),
      ...come.map((rule) => ({
        do: words(program, '-I', rule),
        is: `rule ${rule} (${program})`,
      })),
    ];
  }),
  ...zoneCommands(settings, found.trusted),
];

const zoneCommands = (settings: Settings | undefined, trusted: Firewalls['trusted']): readonly Command[] => {
  if (trusted === undefined) return [];
  const wanted = settings ? [linksName(settings)] : [];
  const isOurs = (link: string) => link === bridge || link.startsWith(hostLinkMark);
  return [
    ...trusted
      .filter((link) => isOurs(link) && !wanted.includes(link))
      .map((link) => ({
        do: zone('remove', link),
        is: `${link} not in firewalld's zone trusted`,
      })),
    ...wanted
      .filter((link) => !trusted.includes(link))
      .map((link) => ({
        do: zone('add', link),
        is: `${link} in firewalld's zone trusted`,
      })),
  ];
};
