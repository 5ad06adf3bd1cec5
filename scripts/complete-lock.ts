// Writes the lock entries of optional platform packages that the registry at hand did not have when the lock file was
// made. Without them `npm ci` refuses ("Missing: x@ from lock file") although the package is for another platform and
// would be skipped. They carry a version but no integrity. Run after every change of the lock file.
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';

type Entry = {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
};

const file = fileURLToPath(new URL('../package-lock.json', import.meta.url));
const lock = JSON.parse(fs.readFileSync(file, 'utf8')) as { packages: Record<string, Entry> };

const systems = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'openbsd', 'win32'];
const cpus = ['arm64', 'x64', 'arm', 'ia32', 'riscv64', 'ppc64', 's390x', 'loong64'];

const missing = Object.entries(lock.packages).flatMap(([at, entry]) =>
  Object.entries(entry.optionalDependencies ?? {}).flatMap(([name, version]) => {
    const key = `node_modules/${name}`;
    if (at === '' || !/^\d/.test(version) || lock.packages[key] || lock.packages[`${at}/${key}`]) return [];
    const words = name.split(/[/-]/);
    const os = systems.find((system) => words.includes(system));
    const cpu = cpus.find((one) => words.includes(one));
    if (os === undefined) return [];
    const added = {
      version,
      ...(cpu === undefined ? {} : { cpu: [cpu] }),
      ...(entry.dev ? { dev: true } : {}),
      optional: true,
      os: [os],
      ...(words.includes('musl') ? { libc: ['musl'] } : {}),
    };
    return [[key, added] as const];
  }),
);
const packages = [...Object.entries(lock.packages), ...missing].toSorted(([a], [b]) => (a < b ? -1 : 1));
fs.writeFileSync(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }, null, 2)}\n`);
process.stderr.write(`${missing.length} added\n`);
