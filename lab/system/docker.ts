import { existsSync } from 'node:fs';
import { get } from 'node:http';

/** Why no Docker daemon can be used, or undefined when one answers. */
export const noDocker = async (
  host = process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock',
): Promise<string | undefined> => {
  const socketPath = host.startsWith('unix://') ? host.slice('unix://'.length) : undefined;
  if (socketPath !== undefined && !existsSync(socketPath)) return `no Docker daemon: ${socketPath} does not exist`;
  const url = new URL('/_ping', socketPath === undefined ? host.replace(/^tcp:/, 'http:') : 'http://docker');
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const request = get(url, { ...(socketPath !== undefined && { socketPath }), timeout: 2_000 }, (response) => {
    response.resume();
    resolve(response.statusCode === 200 ? undefined : `Docker at ${host} answered ${response.statusCode}`);
  });
  request.on('timeout', () => request.destroy(new Error('no answer within 2 s')));
  request.on('error', (error) => resolve(`no Docker daemon at ${host}: ${error.message}`));
  return promise;
};
