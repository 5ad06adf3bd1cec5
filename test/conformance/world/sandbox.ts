import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { noNamespaces } from '../../support/user-namespace.ts';
import { labNamespaces, makeLab } from './namespaces.ts';

const marker = 'OAKESTRA_CONFORMANCE_FOLDER';

/** The most that a chapter may take in all its settings; every wait in it has a limit of its own. */
const chapterMs = 1_500_000;

/** True in the process that runs the facts. */
export const insideLab: boolean = process.env[marker] !== undefined;

/**
 * Runs a chapter's facts in user, network, mount and process namespaces of their own, which make up the lab: the file
 * starts itself again in there. Nothing on the host is changed. Where that is impossible it is one skipped test with
 * its reason. `define` is given a folder for the boards' files; `beside` starts what has to run outside.
 */
export const inLab = (
  file: string,
  define: (folder: string) => void,
  beside?: (folder: string) => Promise<AsyncDisposable>,
): void => {
  const folder = process.env[marker];
  t.setTimeout(chapterMs);
  if (folder !== undefined) {
    makeLab(folder);
    define(folder);
    return;
  }
  const reason = noNamespaces(...labNamespaces);
  if (reason !== undefined) {
    t.test('namespaces', { skip: reason }, () => undefined);
    return;
  }
  const made = mkdtempSync(join(tmpdir(), 'oakc-'));
  t.teardown(() => rmSync(made, { recursive: true, force: true }));
  if (beside !== undefined)
    t.before(async () => {
      const running = await beside(made);
      t.teardown(() => running[Symbol.asyncDispose]());
    });
  t.spawn('unshare', [...labNamespaces, process.execPath, fileURLToPath(file)], {
    env: { ...process.env, [marker]: made },
    timeout: chapterMs,
  });
};
