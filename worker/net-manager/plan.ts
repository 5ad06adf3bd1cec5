/** One line for `ip -batch` and the line that takes it back; what goes away with something else has no `undo`. */
export type Change = { readonly do: string; readonly undo?: string };

/**
 * A step of a network change: data that can be printed, applied and taken back. One step is one process, or none
 * for `sysctl`; an `nft` step happens whole or not at all.
 */
export type Step =
  | { readonly tool: 'ip'; readonly changes: readonly Change[]; readonly namespace?: string }
  | { readonly tool: 'nft'; readonly do: readonly string[]; readonly undo: readonly string[] }
  | { readonly tool: 'sysctl'; readonly values: Readonly<Record<string, string>> }
  | { readonly tool: 'zero'; readonly namespace: string; readonly keys: readonly string[] };

export type Plan = readonly Step[];

/** The file of a kernel setting named with slashes, such as `net/ipv4/ip_forward`. */
export const sysctlFile = (key: string): string => `/proc/sys/${key}`;

/** The words that run a command in a named namespace; without the mounts that `ip netns exec` makes, which cost more. */
export const inside = (namespace: string): [string, ...string[]] => ['nsenter', `--net=/run/netns/${namespace}`, '--'];

const here = (command: string, lines: readonly string[]): string => `${command} <<'END'\n${lines.join('\n')}\nEND`;

const stepText = (step: Step): string => {
  switch (step.tool) {
    case 'ip':
      return here(
        step.namespace === undefined ? 'ip -batch -' : `ip -n ${step.namespace} -batch -`,
        step.changes.map((change) => change.do),
      );
    case 'nft':
      return here('nft -f -', step.do);
    case 'sysctl':
      return Object.entries(step.values)
        .map(([key, value]) => `echo ${value} > ${sysctlFile(key)}`)
        .join('\n');
    case 'zero':
      return `echo 0 | ${inside(step.namespace).join(' ')} tee ${step.keys.map(sysctlFile).join(' ')}`;
  }
};

/** The plan as text that can be pasted into a root shell on a board. */
export const planText = (plan: Plan): string => `${plan.map(stepText).join('\n')}\n`;
