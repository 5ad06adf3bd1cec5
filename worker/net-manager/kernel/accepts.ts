import { readFile } from 'node:fs/promises';
import { batched } from '../../system/batched.ts';
import { run } from '../../system/run.ts';
import { acceptCommands, type Filter, type Firewalls, readFilter } from '../plan/accepts.ts';
import { readChains, readOutward } from '../plan/foreign.ts';
import type { Command } from '../plan/plan.ts';
import { table as own } from '../plan/ruleset.ts';
import type { Settings } from '../plan/settings.ts';

const families = [
  { family: 'ip', command: 'iptables', loaded: '/proc/self/net/ip_tables_names' },
  { family: 'ip6', command: 'ip6tables', loaded: '/proc/self/net/ip6_tables_names' },
] as const;

type Variant = 'nft' | 'legacy';
type Program = { readonly command: string; readonly variant: Variant };

/** The programs of iptables whose `filter` table is there: reading one that is not would make it. */
const programs = async (tables: ReadonlySet<string>): Promise<readonly Program[]> => {
  const found = families.map(async ({ family, command, loaded }) => {
    const names = await readFile(loaded, 'utf8').catch(() => '');
    return [
      ...(tables.has(`${family} filter`) ? [{ command, variant: 'nft' } as const] : []),
      ...(names.split('\n').includes('filter') ? [{ command, variant: 'legacy' } as const] : []),
    ];
  });
  return (await Promise.all(found)).flat();
};

/** A table that its program can't read is nft's own; a program that is not installed has made none. */
const filterOf = async ({ command, variant }: Program): Promise<readonly Filter[]> => {
  const list = async (program: string) => readFilter(program, await run([program, '-w', '5', '-S']));
  try {
    return [await list(`${command}-${variant}`)];
  } catch {
    // Some systems have one variant, by the plain name.
    const version = await run([command, '-V']).catch(() => '');
    const plain: Variant | undefined = version === '' ? undefined : version.includes('nf_tables') ? 'nft' : 'legacy';
    return plain === variant
      ? await list(command).then(
          (filter) => [filter],
          () => [],
        )
      : [];
  }
};

const trustedLinks = async (): Promise<readonly string[] | undefined> => {
  try {
    return (await run(['firewall-cmd', '--zone=trusted', '--list-interfaces'])).trim().split(/\s+/).filter(Boolean);
  } catch {
    return undefined;
  }
};

/** Looks at the firewalls of this board: one process where nobody else has any. */
export const readFirewalls = async (): Promise<Firewalls> => {
  const { tables, forward } = readChains(JSON.parse(await run(['nft', '-j', 'list', 'chains'])));
  const [filters, trusted] = await Promise.all([
    programs(tables).then((names) => Promise.all(names.map(filterOf))),
    [...tables].some((name) => name.endsWith(' firewalld')) ? trustedLinks() : undefined,
  ]);
  const found = filters.flat();
  const outward = found.some(({ judges }) => judges)
    ? readOutward(JSON.parse(await run(['ip', '-j', '-d', 'addr', 'show'])))
    : [];
  const legacy = found.filter(({ program, judges }) => judges && program.endsWith('-legacy'));
  return {
    ours: tables.has(own),
    others: [...forward, ...legacy.map(({ program }) => `${program} FORWARD`)],
    filters: found,
    outward,
    trusted,
  };
};

/** True when iptables-legacy has a table here, of which no event tells. */
export const legacyInUse = async (): Promise<boolean> => (await programs(new Set())).length > 0;

/** Runs commands one behind another's failure, and tells the failures. */
export const runEach = async (commands: readonly Command[]): Promise<readonly string[]> => {
  const failures: string[] = [];
  for (const { do: argv } of commands)
    await run(argv).catch((error: unknown) => void failures.push((error as Error).message));
  return failures;
};

/**
 * Makes the firewalls of others accept instances, or take back what did when `wanted` says undefined. One at a time,
 * because each looks at what the one before it made. Resolves to the failures.
 */
export const accept = batched(
  async (wanted: readonly (() => Settings | undefined)[]): Promise<readonly (readonly string[])[]> => {
    const found = await readFirewalls();
    const failures = await runEach(acceptCommands(wanted.at(-1)?.(), found));
    return wanted.map(() => failures);
  },
);
