import { noDocker } from '../../system/docker.ts';
import { labFault } from '../../system/errors.ts';
import { findProgram } from '../../system/programs.ts';

/** What Buildroot wants of the computer (its manual: "System requirements"), and the Debian package that has it. */
const wanted: Readonly<Record<string, string>> = {
  ...{ make: 'make', gcc: 'gcc', 'g++': 'g++', ld: 'binutils', bash: 'bash', patch: 'patch', perl: 'perl' },
  ...{ sed: 'sed', diff: 'diffutils', find: 'findutils', tar: 'tar', gzip: 'gzip', bzip2: 'bzip2', xz: 'xz-utils' },
  ...{ cpio: 'cpio', unzip: 'unzip', rsync: 'rsync', file: 'file', bc: 'bc', wget: 'wget', python3: 'python3' },
};

/** The Debian packages with all that Buildroot wants. */
export const hostPackages: readonly string[] = Object.values(wanted);

/** Throws a lab fault that names every tool for a build that this computer lacks, and how to get them. */
export const checkHostTools = (has: (name: string) => boolean = (name) => findProgram(name) !== undefined): void => {
  const missing = Object.keys(wanted).filter((name) => !has(name));
  if (missing.length === 0) return;
  throw labFault(`Buildroot needs tools that this computer lacks: ${missing.join(', ')}`, [
    `sudo apt-get install ${missing.map((name) => wanted[name]).join(' ')}`,
  ]);
};

/** Throws a lab fault when no container engine answers. */
export const checkEngine = async (): Promise<void> => {
  const trouble = await noDocker();
  if (trouble === undefined) return;
  throw labFault(`a build in a container needs an engine: ${trouble}`, [
    'start Docker, or name another engine: export DOCKER_HOST=unix:///run/user/$(id -u)/podman/podman.sock',
  ]);
};
