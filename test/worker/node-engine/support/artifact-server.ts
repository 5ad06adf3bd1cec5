import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { ArtifactCache } from '../../../../worker/node-engine/artifacts/artifacts.ts';
import { defaultSources, type Sources } from '../../../../worker/node-engine/artifacts/sources.ts';
import { memoryFolder } from '../../../support/files/memory-folder.ts';
import { fixture } from './daemon.ts';

export const component = await readFile(fixture('hello-wasi-http'));
export const digest = createHash('sha256').update(component).digest('hex');

export type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** Answers with the component. */
export const whole: Answer = (response) => response.end(component);

/** A server on the loopback address, which tests have to allow. */
export const ownServer: Sources = { ...defaultSources, localHosts: ['127.0.0.1'] };

/** A server of files, by their paths. `asked` grows by every path that was asked for. */
export const startServer = async (t: Test, answers: Readonly<Record<string, Answer>>, host = '127.0.0.1') => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const answer = answers[path];
    if (answer) answer(response, request);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { asked, port, base: `${host}:${port}` };
};

/** Such a server, and an empty cache that may fetch from it. */
export const setUp = async (t: Test, answers: Readonly<Record<string, Answer>>, sources: Sources = ownServer) => {
  const server = await startServer(t, answers);
  const folder = await memoryFolder(t);
  return { ...server, folder, cache: new ArtifactCache(folder, sources) };
};
