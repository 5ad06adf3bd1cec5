import os from 'node:os';
import path from 'node:path';
import { labFault } from '../errors.ts';

const homeFolder = (variable: string): string => {
  const remedy = [`export ${variable}=/a/folder/of/yours`];
  let home: string;
  try {
    home = os.homedir();
  } catch (error) {
    throw labFault(`HOME is not set, and user ${process.getuid?.()} has no entry in the user database`, remedy, error);
  }
  if (!path.isAbsolute(home)) throw labFault(`HOME is '${home}', which is not an absolute path`, remedy);
  return home;
};

/** A base folder of the XDG specification, which says to ignore one that is not absolute. */
const baseFolder = (variable: 'XDG_CACHE_HOME' | 'XDG_CONFIG_HOME', below: string): string => {
  const named = process.env[variable] ?? '';
  return path.isAbsolute(named) ? named : path.join(homeFolder(variable), below);
};

/** This user's folder for caches: `$XDG_CACHE_HOME`, else `~/.cache`. Throws a lab fault where there is neither. */
export const cacheHome = (): string => baseFolder('XDG_CACHE_HOME', '.cache');

/** This user's folder for configuration: `$XDG_CONFIG_HOME`, else `~/.config`. Throws as {@link cacheHome} does. */
export const configHome = (): string => baseFolder('XDG_CONFIG_HOME', '.config');
