import type { Fact } from './observed.ts';
import { remapCommands, type Target, withTargets } from './port-maps.ts';
import { table } from './ruleset.ts';

/**
 * One line for `ip -batch`, the fact that it makes true, and the line that takes it back; what goes away with something
 * else has no `undo`.
 */
export type Change = {
  readonly do: string;
  readonly is: Fact;
  readonly undo?: string;
  /** The kernel makes it true by itself with the changes before it; only what another program removed is made by us. */
  readonly follows?: true;
};

/** A plan as it is carried out where nothing stands yet. */
export const asNew = (plan: Plan): Plan =>
  plan.map((step) =>
    step.tool === 'ip' || step.tool === 'inside'
      ? { ...step, changes: step.changes.filter(({ follows }) => !follows) }
      : step,
  );

/**
 * A step of a network change: data that can be printed, applied and taken back. None needs more than one process;
 * an `nft` step happens whole or not at all. It may make tables anew, which are then `whole`, and the maps of the first of
 * ours hold exactly `holds`; or map host ports beside what is mapped already. What is done `inside` an instance's namespace goes with it:
 * settings that become 0, then lines for `ip -batch`. Firewalls of other programs have commands of their own.
 */
export type Step =
  | { readonly tool: 'ip'; readonly changes: readonly Change[] }
  | Rules
  | { readonly tool: 'sysctl'; readonly values: Readonly<Record<string, string>> }
  | Inside
  | { readonly tool: 'command'; readonly commands: readonly Command[] };

/** A command for the firewall of another program, and what it makes true, in words. What it made carries our mark. */
export type Command = { readonly do: readonly [string, ...string[]]; readonly is: string };

export type Rules = {
  readonly tool: 'nft';
  readonly do: readonly string[];
  readonly undo: readonly string[];
  /** The tables that it makes anew. */
  readonly whole?: readonly [string, ...string[]];
  readonly holds?: readonly Target[];
  readonly maps?: readonly Target[];
};

type Inside = {
  readonly tool: 'inside';
  readonly namespace: string;
  /** The link that leads into it, by its name on the board. */
  readonly link: string;
  readonly zero: readonly string[];
  readonly changes: readonly Change[];
};

export type Plan = readonly Step[];

/** The file of a kernel setting named with slashes, such as `net/ipv4/ip_forward`. */
export const sysctlFile = (key: string): string => `/proc/sys/${key}`;

const zeroThenBatch = 'for file do echo 0 >"$file" || exit; done; exec ip -batch -';

/**
 * The words that run a step inside a namespace, whose lines are their input. One process, and without the mounts that
 * `ip netns exec` makes; the shell is told nothing but file names.
 */
export const inside = ({ namespace, zero }: Pick<Inside, 'namespace' | 'zero'>): [string, ...string[]] => [
  'nsenter',
  `--net=/run/netns/${namespace}`,
  'sh',
  '-c',
  zeroThenBatch,
  'sh',
  ...zero.map(sysctlFile),
];

const here = (command: string, lines: readonly string[]): string => `${command} <<'END'\n${lines.join('\n')}\nEND`;

const stepText = (step: Step, mapped: readonly Target[]): string => {
  switch (step.tool) {
    case 'ip':
      return here(
        'ip -batch -',
        step.changes.map((change) => change.do),
      );
    case 'nft':
      return here('nft -f -', [...step.do, ...remapCommands(table, mapped, withTargets(mapped, step.maps ?? []))]);
    case 'sysctl':
      return Object.entries(step.values)
        .map(([key, value]) => `echo ${value} > ${sysctlFile(key)}`)
        .join('\n');
    case 'inside':
      return here(
        inside(step)
          .map((word) => (word === zeroThenBatch ? `'${word}'` : word))
          .join(' '),
        step.changes.map((change) => change.do),
      );
    case 'command':
      return step.commands.map((command) => command.do.join(' ')).join('\n');
  }
};

/** The plan as text that can be pasted into a root shell on a board that maps ports to these targets already. */
export const planText = (plan: Plan, mapped: readonly Target[] = []): string =>
  `${asNew(plan)
    .map((step) => stepText(step, mapped))
    .join('\n')}\n`;
