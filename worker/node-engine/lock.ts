import { createHash } from 'node:crypto';
import { mkdir, realpath } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname } from 'node:path';

/** Another engine works with the same state. */
class StateInUse extends Error {
  override readonly name = 'StateInUse';
}

/**
 * Makes a state folder this process's own until it ends, however it ends: an abstract socket (unix(7)) named after the
 * folder leaves nothing behind. Throws {@link StateInUse} when another engine has it.
 */
export const lockState = async (folder: string): Promise<Disposable> => {
  // Made along with it, the folder around it would be as closed, and instances read what else lies there.
  await mkdir(dirname(folder), { recursive: true, mode: 0o755 });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const name = createHash('sha256')
    .update(await realpath(folder))
    .digest('hex');
  const server = createServer((socket) => socket.destroy());
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(`\0oakestra-node-engine-${name}`, resolve);
  await promise.catch((error: unknown) => {
    throw new StateInUse(`another NodeEngine works in ${folder}; stop it, or give this one its own --state`, {
      cause: error,
    });
  });
  server.unref();
  return { [Symbol.dispose]: () => void server.close() };
};
