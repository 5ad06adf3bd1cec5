import { access } from 'node:fs/promises';
import { hasEntered } from '../../machine/entered.ts';
import type { MachineKind } from '../../machine/kind.ts';
import type { CheckResult } from '../../system/check-result.ts';
import { labFault } from '../../system/errors.ts';
import { cachePath } from '../../system/files/cache.ts';
import { pinnedVersion } from '../../wasm/wasmtime.ts';
import { boardFiles } from './board-files.ts';
import type { Check, Need, Subject } from './check.ts';
import { computerChecks } from './computer.ts';
import { folderChecks } from './folders.ts';
import { internetChecks } from './internet.ts';

/** Everything that can be known about this computer before a run, for `doctor` and for the runs themselves. */
export const checks: readonly Check[] = [...computerChecks, ...folderChecks, boardFiles, ...internetChecks];

/** What the checks for some needs find, made one after another: one may rest on what an earlier one did. */
export const examineComputer = async (needs: ReadonlySet<Need>, subject: Subject): Promise<readonly CheckResult[]> => {
  const results: CheckResult[] = [];
  for (const { name, need, look } of checks) {
    if (!needs.has(need)) continue;
    const found = await look(subject);
    if (found !== undefined) results.push({ name, ...found });
  }
  return results;
};

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

/** What has to come from the internet before the first run on such a machine. */
const downloadsFor = async (kind: MachineKind, wasmtime: string | undefined): Promise<readonly Need[]> => {
  const folders: readonly (readonly [Need, string])[] = [
    ...(wasmtime === undefined
      ? [['wasmtime', cachePath('wasmtime', `${pinnedVersion}-${kind.architecture}`)] as const]
      : []),
    ...(kind.requires.includes('mirror') ? [['mirror', cachePath('packages')] as const] : []),
  ];
  const missing = await Promise.all(folders.map(async ([need, file]) => ((await isThere(file)) ? [] : [need])));
  return missing.flat();
};

const needsOf = async (kind: MachineKind, wasmtime: string | undefined): Promise<readonly Need[]> => [
  'board files',
  // what lies in the cache already is needed of no mirror
  ...kind.requires.filter((need) => need !== 'mirror'),
  ...(await downloadsFor(kind, wasmtime)),
];

/** Throws a lab fault with everything that stands in the way of a run. */
const refuse = (results: readonly CheckResult[]): void => {
  const fatal = results.filter((result) => result.fatal);
  if (fatal.length === 0) return;
  throw labFault(
    fatal.map(({ name, detail }) => `${name}: ${detail}`).join('; '),
    fatal.flatMap(({ remedy }) => remedy ?? []),
  );
};

/** What a command is about to do with this computer. */
export type PreflightOptions = {
  /** The kinds of machines that are started, or whose image is built. */
  readonly kinds: readonly MachineKind[];
  /** Where reports go, if there will be any. */
  readonly reports?: string;
  /** A wasmtime of the user's own choice in place of the pinned one. */
  readonly wasmtime?: string | undefined;
};

/**
 * Checks what a run needs and can be known before it. Says remarks on stderr, and throws a lab fault with all that stands
 * in the way. A process that was started anew where boards can be made was checked before.
 */
export const preflight = async ({ kinds, reports, wasmtime }: PreflightOptions, signal: AbortSignal): Promise<void> => {
  if (hasEntered()) return;
  const subject = { reports: reports ?? '', signal };
  const basic: readonly Need[] = ['every run', ...(reports === undefined ? [] : (['reports'] as const))];
  const folders = await examineComputer(new Set(basic), subject);
  refuse(folders);
  const needs = await Promise.all(kinds.map((kind) => needsOf(kind, wasmtime)));
  const others = await examineComputer(new Set(needs.flat()), subject);
  refuse(others);
  for (const { name, detail, remedy } of [...folders, ...others])
    if (remedy !== undefined) process.stderr.write(`${name}: ${detail}\n  ${remedy}\n`);
};
