import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const works = (...[file = '', ...args]: readonly string[]): boolean => {
  try {
    execFileSync(file, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** Kernel settings that forbid user namespaces to ordinary users, with the value that does. */
const forbidding = [
  ['kernel/unprivileged_userns_clone', '0'],
  ['kernel/apparmor_restrict_unprivileged_userns', '1'],
  ['user/max_user_namespaces', '0'],
] as const;

const settingOf = (key: string): string | undefined => {
  try {
    return readFileSync(`/proc/sys/${key}`, 'utf8').trim();
  } catch {
    return undefined;
  }
};

/** Why this computer can't run tests in namespaces of their own made with these words, or undefined. */
export const noNamespaces = (...unshare: readonly string[]): string | undefined => {
  if (!works('ip', '-Version')) return 'ip (iproute2) is not installed';
  if (!works('nft', '--version')) return 'nft (nftables) is not installed';
  if (works('unshare', ...unshare, 'true')) return undefined;
  const setting = forbidding.find(([key, value]) => settingOf(key) === value);
  const why = setting ? `: ${setting[0].replaceAll('/', '.')} is ${setting[1]}` : '; a container may need more rights';
  return `this computer refuses 'unshare ${unshare.join(' ')}'${why}`;
};
