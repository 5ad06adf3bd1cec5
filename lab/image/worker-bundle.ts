import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Transports of the MQTT client that no cluster speaks: a quarter of the bundle, and of the time to read it. */
const withoutOtherTransports: Plugin = {
  name: 'without-other-transports',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^(?:ws|socks|worker-timers)$/ }, ({ path }) => ({ path, namespace: 'left-out' }));
    onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({ contents: 'module.exports = {};' }));
  },
};

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
    plugins: [withoutOtherTransports],
    alias: { 'readable-stream': 'node:stream' }, // Node's own streams, published for other platforms
  });
};
