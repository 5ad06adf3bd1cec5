import { InvalidData } from '../../contract/check.ts';

/** The job's environment by name; of entries with the same name the last one counts. Throws {@link InvalidData}. */
export const environmentOf = (entries: readonly string[]): ReadonlyMap<string, string> =>
  new Map(
    entries.map((entry) => {
      if (!/^[^=\0]+=[^\0]*$/.test(entry))
        throw new InvalidData('environment', [`'${entry.slice(0, 80)}': expected K=V`]);
      const end = entry.indexOf('=');
      return [entry.slice(0, end), entry.slice(end + 1)];
    }),
  );

/** A name that every shell takes over from its environment and gives on. */
const plainName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What glibc's loader and library obey: what they keep from privileged programs (glibc, unsecvars.h), and locales. */
const obeyedByLoader =
  /^(?:LD_.*|MALLOC_.*|GLIBC_TUNABLES|GCONV_PATH|GETCONF_DIR|HOSTALIASES|LOCALDOMAIN|LOCPATH|NIS_PATH|NLSPATH|RES_OPTIONS|RESOLV_.*|TMPDIR|TZ|TZDIR|LC_.*|LANG|LANGUAGE)$/;
const obeyedByShell =
  /^(?:PATH|ENV|IFS|PS\d|PWD|OLDPWD|OPTIND|OPTARG|OPTERR|SHELLOPTS|SHLVL|BASH.*|POSIXLY_CORRECT|PPID|E?UID|LINENO|_)$/;
const obeyedByWasmtime = /^(?:OAKESTRA_|WASMTIME_|TOKIO_|RAYON_|RUST)/;

/**
 * True for a variable that may stand in the environment of the programs that lead to a component, of which some are
 * privileged: none of them obeys it.
 */
export const isInheritable = (name: string): boolean =>
  plainName.test(name) && ![obeyedByLoader, obeyedByShell, obeyedByWasmtime].some((obeyed) => obeyed.test(name));
