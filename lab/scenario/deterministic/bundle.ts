import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { labFolder } from '../../machine/deterministic/layout.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const guest = fileURLToPath(new URL('guest.ts', import.meta.url));
const client = fileURLToPath(new URL('../../load/counted-client.ts', import.meta.url));

/** Programs of the lab's own that a guest has no use for: what makes images and downloads. */
const leftOut: Plugin = {
  name: 'left-out',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^(?:esbuild|ws|socks|worker-timers|openpgp|serialport)$/ }, ({ path: name }) => ({
      path: name,
      namespace: 'left-out',
    }));
    onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({ contents: 'module.exports = {};' }));
  },
};

/** Gives every module of the repository the address that it would have in the guest, where its fixtures lie too. */
const addresses: Plugin = {
  name: 'addresses',
  setup: ({ onLoad }) => {
    onLoad({ filter: /\.ts$/ }, async ({ path: file }) => {
      const source = await fs.readFile(file, 'utf8');
      const inside = path.relative(root, file);
      const place = inside.startsWith('..') ? path.basename(file) : inside;
      const address = JSON.stringify(`file://${labFolder}/${place}`);
      return { contents: source.replaceAll('import.meta.url', address), loader: 'ts' };
    });
  },
};

const options = (): BuildOptions & { readonly write: false } => ({
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'cjs',
  minify: true,
  legalComments: 'none',
  write: false,
  plugins: [leftOut, addresses],
  alias: { 'readable-stream': 'node:stream' }, // Node's own streams, published for other platforms
});

const only = (files: readonly { readonly contents: Uint8Array }[] | undefined): Buffer =>
  Buffer.from(files?.[0]?.contents ?? '');

/** The lab's half for a guest in one file: it runs the scenario that the file `scenario` exports. */
export const bundleLab = async (scenario: string): Promise<Buffer> => {
  const contents = `import scenario from ${JSON.stringify(scenario)};
import { runInGuest } from ${JSON.stringify(guest)};
void runInGuest(scenario);`;
  const { outputFiles } = await build({ ...options(), stdin: { contents, resolveDir: root, loader: 'ts' } });
  return only(outputFiles);
};

/** A program for a guest, and all that it imports, in one file. */
export const bundleProgram = async (file: string): Promise<Buffer> => {
  const { outputFiles } = await build({ ...options(), entryPoints: [file] });
  return only(outputFiles);
};

/** The client of a counted load in one file. */
export const bundleClient = (): Promise<Buffer> => bundleProgram(client);
