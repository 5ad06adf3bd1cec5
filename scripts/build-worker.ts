// npm run build:worker: bundles both daemons into dist/worker.
import { fileURLToPath } from 'node:url';
import { buildWorker } from '../lab/image/worker-bundle.ts';

await buildWorker(fileURLToPath(new URL('../dist/worker', import.meta.url)));
