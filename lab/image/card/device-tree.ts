import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { cached, cachePath } from '../../system/files/cache.ts';
import { fileDigest, sha256 } from '../../system/files/digest.ts';
import type { Tools } from '../../system/packages/tools.ts';

const overlaySource = fileURLToPath(new URL('../../../qemu/raspi4b.dts', import.meta.url));

/** The board's device tree as QEMU's raspi4b needs it: the overlay in `qemu/raspi4b.dts` applied to `base`. */
export const emulatedDeviceTree = async (base: string, tools: Tools, signal?: AbortSignal): Promise<string> => {
  const digests = await Promise.all([base, overlaySource].map((file) => fileDigest(file)));
  const key = sha256([tools.digest, ...digests].join('\n'));
  return cached(
    cachePath('device-trees', `raspi4b-${key.slice(0, 16)}.dtb`),
    async (temporary) => {
      const overlay = `${temporary}.dtbo`;
      const options = signal ? { cancelSignal: signal } : {};
      const [compiler, merger] = [tools.program('usr/bin/dtc'), tools.program('usr/bin/fdtoverlay')];
      await execa(compiler.file, [...compiler.args, '-I', 'dts', '-O', 'dtb', '-o', overlay, overlaySource], options);
      await execa(merger.file, [...merger.args, '-i', base, '-o', temporary, overlay], options);
    },
    { signal },
  );
};
