import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// a lab starts itself anew for the machine local and for every scenario of a suite: read and compiled only once, its
// some hundred modules take half the time
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/lab', import.meta.url)));
await import('./program.ts');
