// npm run nightly: scenarios on the emulated machines and the long halves of the tests, with one report over all.
import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { execa } from 'execa';
import { verdictSigns } from '../lab/report/formats/verdict.ts';
import { tellGithub } from '../lab/report/github.ts';
import { fewestSeeds } from '../lab/report/model/baseline.ts';
import { exitCodes } from '../lab/system/errors.ts';
import { type Part, writeNightly } from './nightly-report.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const lab = path.join(root, 'lab/main.ts');
const reports = path.join(root, 'reports');

/** A command of the nightly run; what it leaves lies in a folder that it is given. */
type Job = {
  readonly name: string;
  readonly args: (folder: string) => readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Where its JUnit document and its summary are when it has ended. */
  readonly leaves: (folder: string) => Promise<Pick<Part, 'junit' | 'summary' | 'page'>>;
};

const found = async (folder: string, ...names: readonly string[]): Promise<string | undefined> => {
  const file = path.join(folder, ...names);
  return fs.access(file).then(
    () => file,
    () => undefined,
  );
};

/** What the newest folder in `folder` whose name fits holds. */
const newest = async (folder: string, pattern: RegExp): Promise<Pick<Part, 'junit' | 'summary' | 'page'>> => {
  const names = (await fs.readdir(folder).catch(() => [])).filter((name) => pattern.test(name)).toSorted();
  const last = path.join(folder, names.at(-1) ?? '');
  const [junit, summary, page] = await Promise.all(
    ['junit.xml', 'summary.md', 'report.html'].map((name) => found(last, name)),
  );
  return { ...(junit ? { junit } : {}), ...(summary ? { summary } : {}), ...(page ? { page } : {}) };
};

const suite = (machine: string): Job => ({
  name: `suite on ${machine}`,
  args: (folder) => [lab, 'suite', '--machine', machine, '--reports', folder],
  leaves: (folder) => newest(folder, /-suite$/),
});

/** What each property-based test is given at night. */
const inputs = 1_000_000;

/** A copy of what the tests have left: the next tests begin with an empty folder. */
const testsLeave = async (folder: string): Promise<Pick<Part, 'junit'>> => {
  const junit = await found(root, '.tap/junit.xml');
  if (junit === undefined) return {};
  await fs.mkdir(folder, { recursive: true });
  const copy = path.join(folder, 'junit.xml');
  await fs.copyFile(junit, copy);
  return { junit: copy };
};

/** Rounds of faults with each topology. */
const campaign = (seed: number): Job => ({
  name: `faults, seed ${seed}`,
  args: () => [
    path.join(root, 'scripts/test.ts'),
    ...['bridged', 'veth'].map((topology) => `test/campaign/${topology}.test.ts`),
  ],
  environment: { LAB_CAMPAIGN_ROUNDS: '150', LAB_CAMPAIGN_SEED: String(seed) },
  leaves: testsLeave,
});

const scenario = (name: string, where: string, ...options: readonly string[]): Job => ({
  name: `${name} on ${where}`,
  args: (folder) => [lab, 'scenario', name, ...options, '--reports', folder],
  leaves: (folder) => newest(folder, new RegExp(`-${name}-[\\w-]+$`)),
});

const bridged = (where: string, ...options: readonly string[]): Job => scenario('bridged', where, ...options);

const counted = (name: string): Job =>
  scenario(name, 'virt, instructions counted', '--deterministic', '--seeds', String(fewestSeeds));

/** One page of all reports, of earlier nights too where they are still there. */
const trend: Job = {
  name: 'trend',
  args: (folder) => [lab, 'report', 'trend', reports, '--output', path.join(folder, 'trend.html')],
  leaves: async (folder) => {
    const page = await found(folder, 'trend.html');
    return page ? { page } : {};
  },
};

const raspi4b = ['--machine', 'raspi4b'];
const virtX86 = ['--machine', 'virt-x86_64', '--accel', 'tcg'];
const buildroot = ['--image', 'buildroot'];
const fromCard = ['--boot', 'sd'];

/** Where the Buildroot image's parts come from: options of `lab image build buildroot`, handed on as they are. */
type Sources = { readonly tree?: string; readonly standIns?: string };

/** What the user chose beside the parts. */
type Options = Sources & { readonly list: boolean };

const jobsWith = ({ tree, standIns }: Sources): readonly Job[] => [
  suite('virt'),
  suite('raspi4b'),
  ...['bridged', 'overlay'].map((name) => scenario(name, 'virt-x86_64', ...virtX86)),
  bridged('raspi4b from its SD card', ...raspi4b, ...fromCard),
  ...['overlay', 'overlay-failover', 'overlay-conditions'].map((name) => scenario(name, 'raspi4b', ...raspi4b)),
  {
    name: 'conformance',
    args: (folder) => [path.join(root, 'scripts/conformance.ts'), '--output', folder],
    leaves: async (folder) => {
      const [junit, summary] = [await found(folder, 'junit.xml'), await found(folder, 'conformance.md')];
      return { ...(junit ? { junit } : {}), ...(summary ? { summary } : {}) };
    },
  },
  {
    name: 'tests',
    // the part before runs those
    args: () => [path.join(root, 'scripts/test.ts'), '--without', 'test/conformance'],
    leaves: testsLeave,
  },
  ...[1, 2, 3].map(campaign),
  {
    name: 'the image with Buildroot',
    args: () => [
      ...[lab, 'image', 'build', 'buildroot'],
      ...(tree === undefined ? [] : ['--tree', tree]),
      ...(standIns === undefined ? [] : ['--stand-ins', standIns]),
    ],
    leaves: async () => ({}),
  },
  bridged('the Buildroot image on virt', ...buildroot),
  bridged('the Buildroot image on raspi4b', ...buildroot, ...raspi4b),
  bridged('the Buildroot image on raspi4b from its SD card', ...buildroot, ...raspi4b, ...fromCard),
  counted('bridged'),
  counted('veth'),
  trend,
];

const program = new Command('nightly')
  .description('Runs everything that takes long, or the parts that are named, and writes one report over all of it.')
  .argument(
    '[parts...]',
    `of ${jobsWith({})
      .map(({ name }) => `"${name}"`)
      .join(', ')}`,
  )
  .option('--tree <folder>', 'a Buildroot tree in place of the pinned release')
  .option('--stand-ins <folder>', "what takes the place of the Buildroot image's unreachable sources")
  .option('--list', 'print the names of the parts, and run none', false)
  .addHelpText('after', '\nExample: npm run nightly -- "suite on raspi4b" conformance')
  .parse();
const { list, ...sources } = program.opts<Options>();
const jobs = jobsWith(sources);
// the checks of the external tree use the same one
const checkedWith = sources.tree === undefined ? {} : { BUILDROOT_DIR: sources.tree };
if (list) {
  process.stdout.write(jobs.map(({ name }) => `${name}\n`).join(''));
  process.exit();
}
const chosen = program.args;
const unknown = chosen.filter((name) => !jobs.some((job) => job.name === name));
if (unknown.length > 0) program.error(`no part "${unknown.join('", "')}": see --help`, { exitCode: exitCodes.usage });

const interruption = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => interruption.abort());

const stamp = new Date().toISOString().replace(/[-:]/g, '').slice(0, 15);
const target = path.join(reports, `${stamp}-nightly`);
const parts: Part[] = [];
for (const [index, job] of jobs.entries()) {
  if ((chosen.length > 0 && !chosen.includes(job.name)) || interruption.signal.aborted) continue;
  process.stderr.write(`\n== ${job.name}\n`);
  const folder = path.join(target, String(index + 1));
  const began = performance.now();
  const { exitCode } = await execa(process.execPath, job.args(folder), {
    cwd: root,
    env: {
      ...{ LAB_NIGHTLY: '1', LAB_TEST_INPUTS: String(inputs), ...checkedWith, ...job.environment },
      // what each part says is in the summary of the whole
      GITHUB_STEP_SUMMARY: '',
    },
    reject: false,
    stdin: 'ignore',
    stdout: 'inherit',
    stderr: 'inherit',
    cancelSignal: interruption.signal,
    forceKillAfterDelay: 60_000,
  });
  const ended = {
    name: job.name,
    code: exitCode ?? exitCodes.interrupted,
    seconds: (performance.now() - began) / 1000,
  };
  parts.push({ ...ended, ...(await job.leaves(folder)) });
  await writeNightly(target, parts);
}
if (parts.length > 0)
  await tellGithub({ summary: await fs.readFile(path.join(target, 'summary.md'), 'utf8'), annotations: [] });
for (const { name, code, seconds } of parts)
  process.stdout.write(
    `${verdictSigns[code === exitCodes.passed ? 'passed' : 'failed']} ${name} ${seconds.toFixed(0)} s\n`,
  );
process.stdout.write(`report: ${path.relative(root, target)}\n`);
process.exitCode =
  parts.length > 0 && parts.every(({ code }) => code === exitCodes.passed) ? exitCodes.passed : exitCodes.failed;
