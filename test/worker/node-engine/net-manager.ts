import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import { setKernel } from '../../support/network.ts';

const execute = promisify(execFile);
const ip = (...args: readonly string[]) => execute('ip', args);

type Call = { readonly path: string; readonly body: Record<string, unknown> };

/**
 * Stands in for NetManager on a unix socket with real namespaces, each joined to this one by a link of its own: the
 * instance N has 10.10.N.2 and its host end 10.10.N.1.
 */
export const startNetManager = async (socket: string) => {
  const calls: Call[] = [];
  const refusals = new Map<string, { readonly status: number; readonly text: string }>();
  const deploy = async (task: string, instance: number) => {
    await mkdir('/run/netns', { recursive: true });
    await ip('netns', 'add', task);
    await ip('link', 'add', `v${instance}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', task);
    await ip('addr', 'add', `10.10.${instance}.1/24`, 'dev', `v${instance}`);
    await ip('link', 'set', `v${instance}`, 'up');
    await ip('-n', task, 'addr', 'add', `10.10.${instance}.2/24`, 'dev', 'eth0');
    await ip('-n', task, 'addr', 'add', `fd10:${instance}::2/64`, 'dev', 'eth0', 'nodad');
    await ip('addr', 'add', `fd10:${instance}::1/64`, 'dev', `v${instance}`, 'nodad');
    await ip('-n', task, 'link', 'set', 'eth0', 'up');
    await ip('-n', task, 'link', 'set', 'lo', 'up');
    await setKernel(['ip', 'netns', 'exec', task], 'net/ipv4/ip_unprivileged_port_start', '0');
    return { nsAddress: `10.10.${instance}.2`, nsAddressV6: `fd10:${instance}::2` };
  };
  const handle = async ({ path, body }: Call): Promise<unknown> => {
    const [service, instance] = [String(body['serviceName']), Number(body['instanceNumber'])];
    if (path === '/wasm/deploy')
      return { serviceName: service, ...(await deploy(`${service}.instance.${instance}`, instance)) };
    if (path === '/wasm/undeploy') {
      await ip('link', 'del', `v${instance}`);
      await ip('netns', 'del', `${service}.instance.${instance}`);
      return { success: true, message: '' };
    }
    return '';
  };
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const call = { path: request.url ?? '', body: JSON.parse(text) as Record<string, unknown> };
    calls.push(call);
    const refusal = refusals.get(call.path);
    if (refusal) return response.writeHead(refusal.status).end(refusal.text);
    try {
      response.end(JSON.stringify(await handle(call)));
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  server.listen(socket);
  await once(server, 'listening');
  return {
    calls,
    /** From now on `path` is answered with this, until it is given undefined. */
    refuse: (path: string, refusal: { readonly status: number; readonly text: string } | undefined) => {
      if (refusal) refusals.set(path, refusal);
      else refusals.delete(path);
    },
    /** How often `path` was asked for. */
    count: (path: string) => calls.filter((call) => call.path === path).length,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
};
