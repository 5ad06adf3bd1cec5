import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Plugin } from 'esbuild';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Transports of the MQTT client that no cluster speaks: a quarter of the bundle, and of the time to read it. */
const withoutOtherTransports: Plugin = {
  name: 'without-other-transports',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^(?:ws|socks|worker-timers)$/ }, ({ path }) => ({ path, namespace: 'left-out' }));
    onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({ contents: 'module.exports = {};' }));
  },
};

/** CommonJS, because it starts faster than the same bundle as a module, which counts under emulation. */
const bundle = {
  absWorkingDir: root,
  entryPoints: {
    'net-manager': 'worker/net-manager/main.ts',
    'node-engine': 'worker/node-engine/main.ts',
    'one-process': 'worker/one-process.ts',
  },
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
} as const satisfies BuildOptions;

/** Bundles both daemons into `directory` (`net-manager.cjs`, `node-engine.cjs`), and both in one (`one-process.cjs`). */
export const buildWorker = async (directory: string): Promise<void> => {
  await build({ ...bundle, outdir: directory });
};

/** The npm packages that the bundles are made of, by their places in `package-lock.json`. */
export const bundledPackages = async (): Promise<readonly string[]> => {
  const { metafile } = await build({ ...bundle, outdir: root, write: false, metafile: true });
  const places = Object.keys(metafile.inputs).flatMap(
    (file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? [],
  );
  return [...new Set(places)].toSorted();
};
