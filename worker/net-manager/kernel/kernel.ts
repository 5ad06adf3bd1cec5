import { access, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { bridge, type Instance, linksOf, namespaceOf } from '../plan/instance.ts';
import { sysctlFile } from '../plan/plan.ts';

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

const devices = '/proc/sys/net/ipv4/conf';

/** The names of the interfaces of this network namespace. */
export const linkNames = async (): Promise<readonly string[]> =>
  (await readdir(devices)).filter((name) => name !== 'all' && name !== 'default');

const linkExists = (name: string): Promise<boolean> => exists(`${devices}/${name}`);

/** The names of the network namespaces that have one. */
export const namespaceNames = (): Promise<readonly string[]> =>
  readdir('/run/netns').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });

export const namespaceExists = (name: string): Promise<boolean> => exists(`/run/netns/${name}`);

/** True when nothing of an instance is left that could still hold its address. */
export const isInstanceRemoved = async (instance: Instance): Promise<boolean> =>
  !(await linkExists(linksOf(instance).host)) && !(await namespaceExists(namespaceOf(instance)));

/** True when an instance's link and namespace both stand. */
export const instanceIntact = async (instance: Instance): Promise<boolean> =>
  (await linkExists(linksOf(instance).host)) && (await namespaceExists(namespaceOf(instance)));

/**
 * The network namespace of a process (this one's by default), by the kernel's name for it; undefined when there is no
 * such process.
 */
export const namespaceOfProcess = (pid: number | 'self' = 'self'): Promise<string | undefined> =>
  readlink(`/proc/${pid}/ns/net`).catch(() => undefined);

export const bridgeExists = (): Promise<boolean> => linkExists(bridge);

/** A kernel setting's value, or undefined when this kernel has none of that name. */
export const readSysctl = async (key: string): Promise<string | undefined> => {
  try {
    return (await readFile(sysctlFile(key), 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};

export const writeSysctl = (key: string, value: string): Promise<void> => writeFile(sysctlFile(key), value);

/** The interfaces whose router advertisements would be ignored from now on if the node began to forward. */
export const advertisedLinks = async (): Promise<readonly string[]> => {
  if ((await readSysctl('net/ipv6/conf/all/forwarding')) !== '0') return [];
  const names = await linkNames();
  const values = await Promise.all(names.map((name) => readSysctl(`net/ipv6/conf/${name}/accept_ra`)));
  return names.filter((name, index) => name !== 'lo' && values[index] === '1');
};
