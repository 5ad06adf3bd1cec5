// npm run build:worker: bundles both daemons into dist/worker; with --package also makes packages of them in dist.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describeTrouble } from '../lab/commands/trouble.ts';
import { buildPackages, packageArchitectures } from '../lab/image/package/package.ts';
import { buildWorker } from '../lab/image/worker-bundle.ts';
import { exitCodeOf, messageOf, usageFault } from '../lab/system/errors.ts';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const usage = `npm run build:worker                                   both daemons, in dist/worker
npm run build:worker -- --package                      and a .deb and a .tar.gz for arm64, in dist
npm run build:worker -- --package --architecture amd64
`;

const readOptions = () => {
  try {
    return parseArgs({
      options: {
        package: { type: 'boolean', default: false },
        architecture: { type: 'string', default: 'arm64' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    throw usageFault(messageOf(error), ['npm run build:worker -- --help']);
  }
};

const main = async (): Promise<void> => {
  const options = readOptions();
  if (options.help) {
    process.stdout.write(usage);
    return;
  }
  const architecture = packageArchitectures.find((known) => known === options.architecture);
  if (architecture === undefined)
    throw usageFault(`there is no package for '${options.architecture}'`, [
      `npm run build:worker -- --package --architecture ${packageArchitectures.join('|')}`,
    ]);
  await buildWorker(`${dist}/worker`);
  if (!options.package) return;
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort());
  for (const { file, size, sha256 } of await buildPackages(architecture, dist, interrupted.signal))
    process.stdout.write(`${sha256}  ${file}  ${(size / 1e6).toFixed(1)} MB\n`);
};

await main().catch((error: unknown) => {
  process.stderr.write(`build:worker: ${describeTrouble(error)}`);
  process.exitCode = exitCodeOf(error);
});
