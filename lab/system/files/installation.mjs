// Plain JavaScript without dependencies: the bootstrap uses it on any Node from 18, before anything is installed.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

/**
 * The packages that a command needs: `runtime` for the lab itself, `development` for these and what checks and tests.
 * @typedef {'runtime' | 'development'} PackageSet
 */

/**
 * One entry of package-lock.json.
 * @typedef {{ dev?: boolean, optional?: boolean, peer?: boolean, os?: string[], cpu?: string[], libc?: string[] }} Entry
 */

const stampFile = 'node_modules/.lab-stamp';
/** npm's own account of what it installed; every install and removal writes it anew. */
const treeFile = 'node_modules/.package-lock.json';

/** @param {string} file */
const textOf = (file) => {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

/** @param {readonly string[]} parts */
const digestOf = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex');

/**
 * SHA-256 over what node_modules has to be made from.
 * @param {string} root
 */
const wantedDigest = (root) => {
  const { dependencies, devDependencies, optionalDependencies, overrides } = JSON.parse(
    fs.readFileSync(path.join(root, 'package.json'), 'utf8'),
  );
  return digestOf(
    `${process.platform} ${process.arch}\n`,
    JSON.stringify([dependencies, devDependencies, optionalDependencies, overrides]),
    fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8'),
  );
};

/**
 * What the stamp of an install says, or undefined where there is none.
 * @param {string} root
 * @returns {{ wanted: string, tree: string, set: PackageSet } | undefined}
 */
const readStamp = (root) => {
  try {
    return JSON.parse(textOf(path.join(root, stampFile)));
  } catch {
    return undefined;
  }
};

/** @param {Entry} entry */
const isForThisPlatform = ({ os, cpu, libc }) =>
  (!os || os.includes(process.platform)) &&
  (!cpu || cpu.includes(process.arch)) &&
  (!libc || libc.includes('glibc') || process.platform !== 'linux');

/**
 * Whether the lock demands a package: all but the optional ones, of which only the programs made for this platform are
 * (npm leaves them out without a word where they cannot be had).
 * @param {Entry} entry
 * @param {PackageSet} set
 */
const isNeeded = (entry, set) =>
  (set === 'development' || !entry.dev) &&
  !entry.peer &&
  isForThisPlatform(entry) &&
  (!entry.optional || entry.os !== undefined);

/**
 * Folders of packages that the lock demands and that are not there, from the repository's root.
 * @param {string} root
 * @param {PackageSet} set
 * @returns {readonly string[]}
 */
export const missingPackages = (root, set) => {
  /** @type {Record<string, Entry>} */
  const packages = JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages ?? {};
  return Object.entries(packages)
    .filter(([at, entry]) => at !== '' && isNeeded(entry, set))
    .map(([at]) => at)
    .filter((at) => !fs.existsSync(path.join(root, at, 'package.json')));
};

/**
 * The set that was installed last, whatever became of it.
 * @param {string} root
 * @returns {PackageSet | undefined}
 */
export const installedSet = (root) => readStamp(root)?.set;

/**
 * Why node_modules is not what `set` needs, or undefined where it is. It names an install that the lock has left
 * behind, one that another program changed, and one that is not whole.
 * @param {string} root
 * @param {PackageSet} set
 * @returns {string | undefined}
 */
export const installTrouble = (root, set) => {
  const stamp = readStamp(root);
  if (!stamp) return fs.existsSync(path.join(root, 'node_modules')) ? 'the last install did not end' : 'first run';
  if (stamp.wanted !== wantedDigest(root)) return 'the lock has changed';
  if (stamp.set === 'runtime' && set === 'development') return 'the development packages are needed now';
  const missing = missingPackages(root, set);
  const [first = '', ...others] = missing.map((at) => at.replace(/^node_modules\//, ''));
  if (others.length > 0) return `${first} and ${others.length} more packages are missing`;
  if (first !== '') return `${first} is missing`;
  return stamp.tree === digestOf(textOf(path.join(root, treeFile))) ? undefined : 'packages were changed by hand';
};

/**
 * Stamps the node_modules in `stage`, which was made from the lock in `root`, as whole.
 * @param {string} stage
 * @param {PackageSet} set
 */
export const stampInstall = (stage, set) => {
  const stamp = { wanted: wantedDigest(stage), tree: digestOf(textOf(path.join(stage, treeFile))), set };
  fs.writeFileSync(path.join(stage, stampFile), `${JSON.stringify(stamp)}\n`);
};
