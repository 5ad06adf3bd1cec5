import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Bundles both daemons into `directory` (`net-manager.cjs`, `node-engine.cjs`). CommonJS, because it starts faster
 * than the same bundle as a module, which counts under emulation.
 */
export const buildWorker = async (directory: string): Promise<void> => {
  await build({
    absWorkingDir: root,
    entryPoints: { 'net-manager': 'worker/net-manager/main.ts', 'node-engine': 'worker/node-engine/main.ts' },
    outdir: directory,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'cjs',
    minify: true,
    keepNames: true,
    legalComments: 'none',
    external: ['bufferutil', 'utf-8-validate'], // optional native parts of ws
  });
};

if (import.meta.main) await buildWorker(`${root}/dist/worker`);
