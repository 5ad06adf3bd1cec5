/** The user whom nothing belongs to. */
export const nobody = 65_534;

/**
 * The users that instances run as, one for each address of a worker's pool, which is a /26. Between the numbers of
 * 16 bits and those that are handed out to containers nobody has users (systemd, "Users, Groups, UIDs and GIDs").
 */
export const instanceUsers = { first: 70_000, count: 64 } as const;

/** The users that compilers run as, one for each that may run at the same time: no instance can touch their work. */
export const compilerUsers = { first: instanceUsers.first + instanceUsers.count, count: 2 } as const;

/** True when users `first` and the `count - 1` after it exist in a user namespace with this uid_map (user_namespaces(7)). */
export const hasUsers = (map: string, first: number, count: number): boolean =>
  map.split('\n').some((line) => {
    const [start = 0, , size = 0] = line.trim().split(/\s+/).map(Number);
    return first >= start && first + count <= start + size;
  });

/** True for a user whose processes are this worker's own, or under its control: no other user of the board is one of them. */
const isOurs = (user: number): boolean =>
  [0, process.geteuid?.(), nobody].includes(user) ||
  (user >= instanceUsers.first && user < compilerUsers.first + compilerUsers.count);

/** True for a process, by its /proc/<pid>/status, that no other user of the board can have started (proc(5), Uid). */
export const isOwnProcess = (status: string): boolean => {
  const users = /^Uid:\t(.*)$/m.exec(status)?.[1]?.split('\t').map(Number) ?? [];
  return users.length > 0 && users.every(isOurs);
};

/** Which users processes can be given on a node: one for all of them, the engine's own when undefined, or many. */
type Users = { readonly user: number | undefined; readonly separate: boolean };

/** The user that the instance at an IPv4 address runs as; undefined for the engine's own. */
export const userOf = ({ separate, user }: Users, address: string): number | undefined =>
  separate ? instanceUsers.first + (Number(address.split('.')[3]) % instanceUsers.count) : user;

/**
 * The argv that runs what follows without capabilities or new privileges, as `user` unless undefined, and under
 * the filter of system calls in the file `filter`, if any.
 */
export const dropPrivileges = (user: number | undefined, filter?: string): [string, ...string[]] => [
  'setpriv',
  ...(user === undefined ? [] : [`--reuid=${user}`, `--regid=${user}`, '--clear-groups']),
  '--bounding-set=-all',
  '--inh-caps=-all',
  '--ambient-caps=-all',
  '--no-new-privs',
  ...(filter === undefined ? [] : [`--seccomp-filter=${filter}`]),
  '--',
];
