import { cached, cachePath } from '../../system/files/cache.ts';
import { sha256 } from '../../system/files/digest.ts';
import type { Tools } from '../../system/packages/tools.ts';
import type { Layer } from '../layer.ts';
import { writeCard } from './card.ts';

// "Linux filesystem data"
const linux = 'L';

/** A card whose partitions are the layers in their order, out of the cache or made and put there. */
export const buildLayerCard = (layers: readonly Layer[], tools: Tools, signal?: AbortSignal): Promise<string> => {
  const key = sha256([tools.digest, ...layers.map((layer) => layer.sha256)].join('\n'));
  return cached(
    cachePath('cards', `layers-${key.slice(0, 16)}.img`),
    (temporary) =>
      writeCard(
        temporary,
        'gpt',
        layers.map(({ file }) => ({ type: linux, file })),
        tools,
        signal,
      ),
    { signal },
  );
};
