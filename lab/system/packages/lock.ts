import Type, { type Static } from 'typebox';
import { parse } from '../../../worker/contract/check.ts';
import { type Architecture, hostMachine } from '../elf.ts';
import locked from './packages.lock.json' with { type: 'json' };

/** One Debian package, pinned: its file's place below a mirror and its digest. */
export const LockedPackage = Type.Object({
  name: Type.String(),
  version: Type.String(),
  path: Type.String({ pattern: '^pool/' }),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  size: Type.Integer(),
});
export type LockedPackage = Static<typeof LockedPackage>;

/** `packages.lock.json`: for each set and architecture (`qemu/amd64`) its packages in the order of their names. */
export const PackageLock = Type.Object({
  suite: Type.String(),
  sets: Type.Record(Type.String(), Type.Array(LockedPackage)),
});
export type PackageLock = Static<typeof PackageLock>;

/** Debian's names of architectures. */
export const debianNames = { aarch64: 'arm64', x86_64: 'amd64' } as const satisfies Readonly<
  Record<Architecture, string>
>;
export type DebianArchitecture = (typeof debianNames)[Architecture];

/** The release of Debian that the lock is of. */
export const lockedSuite: string = locked.suite;

/** Debian's name of this computer's architecture. */
export const hostArchitecture = (): DebianArchitecture => debianNames[hostMachine()];

/** The committed lock's packages of a set such as `qemu/amd64`. */
export const lockedSet = (set: string): readonly LockedPackage[] => {
  const { sets } = parse(PackageLock, locked, 'packages.lock.json');
  const packages = sets[set];
  if (!packages) throw new Error(`packages.lock.json has no set '${set}'`);
  return packages;
};
