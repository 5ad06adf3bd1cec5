import { accessSync, constants } from 'node:fs';
import path from 'node:path';

/** Folders in which a distribution's own programs are, whatever PATH says. */
export const systemFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'] as const;

/** A program's path as a shell would find it, system folders included; undefined when there is none. */
export const findProgram = (
  name: string,
  folders: readonly string[] = [...(process.env['PATH'] ?? '').split(':'), ...systemFolders],
): string | undefined =>
  folders
    .map((folder) => path.join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
