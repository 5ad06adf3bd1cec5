import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';
import { describeTrouble } from './commands/trouble.ts';
import { exitCodes, labFault } from './system/errors.ts';

/** Known reasons why the lab's own files cannot be read and run. */
const loadingFault = (error: unknown): unknown => {
  if (!(error instanceof Error)) return error;
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  const [, lacking] = /^Cannot find package '([^']+)'/.exec(message) ?? [];
  if (lacking !== undefined)
    return labFault(`the npm package ${lacking} is not installed`, ['npm run lab, which installs it first']);
  if (syscall === 'uv_cwd')
    return labFault('the folder in which it was started does not exist any more', ['cd /a/folder/that/exists']);
  if (code === 'ERR_DLOPEN_FAILED')
    return labFault(`a program library of an npm package cannot be loaded: ${message}`, [
      'when its file system is mounted noexec: use a clone elsewhere',
      'otherwise: rm -rf node_modules, then npm run lab, which installs them anew',
    ]);
  if (code === 'ERR_MODULE_NOT_FOUND') return labFault(message, ['git status shows whether the checkout lacks a file']);
  return error;
};

// a lab starts itself anew for the machine local and for every scenario of a suite: read and compiled only once, its
// some hundred modules take half the time
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/lab', import.meta.url)));
try {
  process.cwd();
  await import('./program.ts');
} catch (error) {
  process.stderr.write(`lab: ${describeTrouble(loadingFault(error))}`);
  process.exitCode = exitCodes.lab;
}
