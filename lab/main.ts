import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// a lab starts itself anew for the machine local and for every scenario of a suite: read and compiled only once, its
// some hundred modules take half the time
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/lab', import.meta.url)));
try {
  await import('./program.ts');
} catch (error) {
  const missing = /^Cannot find package '([^']+)'/.exec(error instanceof Error ? error.message : '')?.[1];
  if (missing === undefined) throw error;
  process.stderr.write(`lab: the npm package ${missing} is not installed\n  npm run lab, which installs it first\n`);
  process.exitCode = 3;
}
