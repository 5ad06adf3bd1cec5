import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { messageOf } from '../../../../../lab/system/errors.ts';
import { cached, cachePath } from '../../../../../lab/system/files/cache.ts';
import { findProgram } from '../../../../../lab/system/programs.ts';

const requirements = fileURLToPath(new URL('requirements.lock', import.meta.url));

/** A Python that has labgrid. */
export type Labgrid = { readonly python: string };

const install = async (python: string, folder: string): Promise<void> => {
  await fs.rm(folder, { recursive: true, force: true });
  await execa(python, ['-m', 'venv', folder], { stdin: 'ignore' });
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '--require-hashes'];
  await execa(`${folder}/bin/python`, [...pip, '--only-binary=:all:', '-r', requirements], { stdin: 'ignore' });
};

const find = async (): Promise<Labgrid | string> => {
  const python = findProgram('python3');
  if (python === undefined) return 'python3 is not installed';
  try {
    const { stdout: version } = await execa(python, ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])']);
    const digest = createHash('sha256')
      .update(await fs.readFile(requirements))
      .digest('hex')
      .slice(0, 12);
    const folder = cachePath('labgrid', `${version}-${digest}`);
    return { python: `${await cached(folder, (temporary) => install(python, temporary))}/bin/python` };
  } catch (error) {
    return `labgrid cannot be installed by ${python} and its pip: ${messageOf(error).split('\n')[0]}`;
  }
};

/** The locked labgrid in a virtual environment of the cache, or why there is none here. */
export const labgrid: Labgrid | string = await find();
