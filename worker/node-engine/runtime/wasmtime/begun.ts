import { readFile } from 'node:fs/promises';

/** CPU time in ns after which a program whose code is in memory has been linked on any board, emulated ones included. */
const linkedNs = 250_000_000;

/**
 * True when the code of a WebAssembly program is executable in the process whose /proc/<pid>/maps this is: wasmtime
 * keeps what it has compiled in memory without a name, and maps what was compiled ahead from its file, `program`.
 * The kernel's own parts have names in brackets (proc_pid_maps(5)).
 */
export const hasCode = (maps: string, program: string): boolean =>
  maps.split('\n').some((line) => {
    const [, permissions = '', , , , ...name] = line.split(/ +/);
    return permissions.startsWith('r-x') && ['', program].includes(name.join(' '));
  });

/** State and CPU time in ns of a process's first thread, which runs the program. */
const firstThread = async (pid: number): Promise<{ readonly asleep: boolean; readonly ns: number }> => {
  const folder = `/proc/${pid}/task/${pid}`;
  const [stat, times] = await Promise.all([
    readFile(`${folder}/stat`, 'utf8'),
    readFile(`${folder}/schedstat`, 'utf8'),
  ]);
  return { asleep: stat.slice(stat.lastIndexOf(')')).startsWith(') S'), ns: Number(times.split(' ')[0]) };
};

/**
 * A function that tells whether a `wasmtime run` has linked its program and begun with it; ask it again and again. It
 * has the program's code in memory first; linking needs some ms of processor and never sleeps. So whoever sleeps with
 * code in memory, or has used much more processor since, is in the program.
 */
export const hasBegun = (pid: number, program: string): (() => Promise<boolean>) => {
  let loadedAt: number | undefined;
  return async () => {
    if (loadedAt === undefined && !hasCode(await readFile(`/proc/${pid}/maps`, 'utf8'), program)) return false;
    const { asleep, ns } = await firstThread(pid);
    loadedAt ??= ns;
    return asleep || ns - loadedAt > linkedNs;
  };
};
