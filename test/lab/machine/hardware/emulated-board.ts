import fs from 'node:fs/promises';
import path from 'node:path';
import { packageEntries } from '../../../../lab/image/debian/layers.ts';
import { completeTree, writeTar } from '../../../../lab/image/layer.ts';
import type { MachineDefinition } from '../../../../lab/machine/hardware/definition.ts';
import { execOk, type Machine } from '../../../../lab/machine/machine.ts';
import { fetchSet } from '../../../../lab/system/packages/fetch.ts';
import { boot } from '../qemu/boot.ts';
import { makeKey } from './keys.ts';

/** An emulated board that stands for a real one: the lab under test reaches it by ssh only. */
export type EmulatedBoard = AsyncDisposable & {
  readonly definition: MachineDefinition & { readonly ssh: string };
  /** Past ssh, for whoever wants to look or to make trouble. */
  readonly machine: Machine;
  readonly id: string;
};

/** What a card image has of dropbear, in an archive. */
const dropbear = async (file: string): Promise<void> => {
  const { packages, ...set } = await fetchSet('userland-raspi4');
  const wanted = packages.filter(({ name }) => /^(dropbear-bin|libtom|libgmp|libcrypt1)/.test(name));
  const isWanted = (name: string) => /^usr\/(sbin\/dropbear|lib\/aarch64-linux-gnu\/)/.test(name);
  await writeTar(completeTree(await Array.fromAsync(packageEntries({ ...set, packages: wanted }, isWanted))), file);
};

/** Boots a machine of QEMU's with an ssh server whose key lies in `folder`. */
export const startEmulatedBoard = async (
  folder: string,
  options: Parameters<typeof boot>[0] = {},
): Promise<EmulatedBoard> => {
  await using stack = new AsyncDisposableStack();
  const { file: identity, known } = await makeKey(path.join(folder, 'identity'));
  const archive = path.join(folder, 'dropbear.tar');
  await dropbear(archive);
  const { machine, id } = stack.use(await boot(options));
  await machine.writeFile('/root/.ssh/authorized_keys', known, 0o600);
  await machine.writeFile('/tmp/dropbear.tar', await fs.readFile(archive));
  await execOk(machine, [
    'sh',
    '-c',
    'cd / && tar -xf /tmp/dropbear.tar && rm /tmp/dropbear.tar && mkdir -p /etc/dropbear',
  ]);
  await execOk(machine, ['dropbear', '-R', '-s']);
  const { port } = await machine.forward(22);
  const resources = stack.move();
  const definition = { ssh: 'root@127.0.0.1', port, identity };
  return { definition, machine, id, [Symbol.asyncDispose]: () => resources.disposeAsync() };
};
