import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import { setKernel } from '../../../support/network.ts';

const execute = promisify(execFile);
const ip = (...args: readonly string[]) => execute('ip', args);

type Call = { readonly path: string; readonly body: Record<string, unknown> };

/**
 * The NetManagers that there are (contract, sections 4 and 9): this project's; the one of pull request 205, which leaves
 * ports below 1024 to root; and the released ones, which join the namespace of a live process and leave `lo` down in it.
 */
export type NetManagerKind = 'ours' | 'pull205' | 'released';

/** Joins a namespace, named as `ip netns` or `ip link` take it, to this one. */
const join = async (instance: number, within: readonly string[], target: string) => {
  await ip('link', 'add', `v${instance}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', target);
  await ip('addr', 'add', `10.10.${instance}.1/24`, 'dev', `v${instance}`);
  await ip('addr', 'add', `fd10:${instance}::1/64`, 'dev', `v${instance}`, 'nodad');
  await ip('link', 'set', `v${instance}`, 'up');
  const inner = (...args: readonly string[]) => execute('nsenter', [...within, 'ip', ...args]);
  await inner('addr', 'add', `10.10.${instance}.2/24`, 'dev', 'eth0');
  await inner('addr', 'add', `fd10:${instance}::2/64`, 'dev', 'eth0', 'nodad');
  await inner('link', 'set', 'eth0', 'up');
};

const addressesOf = (instance: number, v6Key: string) => ({
  nsAddress: `10.10.${instance}.2`,
  [v6Key]: `fd10:${instance}::2`,
});

/**
 * Stands in for a NetManager on a unix socket with real namespaces, each joined to this one by a link of its own: the
 * instance N has 10.10.N.2 and its host end 10.10.N.1.
 */
export const startNetManager = async (socket: string, kind: NetManagerKind = 'ours') => {
  const calls: Call[] = [];
  const refusals = new Map<string, { readonly status: number; readonly text: string }>();
  let registered = false;
  const named = async (task: string, instance: number) => {
    await mkdir('/run/netns', { recursive: true });
    await ip('netns', 'add', task);
    await ip('-n', task, 'link', 'set', 'lo', 'up');
    await join(instance, [`--net=/run/netns/${task}`], task);
    if (kind === 'ours') await setKernel(['ip', 'netns', 'exec', task], 'net/ipv4/ip_unprivileged_port_start', '0');
    return addressesOf(instance, 'nsAddressV6');
  };
  const joined = async (pid: number, instance: number) => {
    const [own, its] = await Promise.all(['self', pid].map((each) => readlink(`/proc/${each}/ns/net`)));
    if (own === its) throw new Error(`process ${pid} has no network namespace of its own`);
    await join(instance, [`--net=/proc/${pid}/ns/net`], String(pid));
    return addressesOf(instance, 'nsAddressv6');
  };
  const handle = async ({ path, body }: Call): Promise<object | string | undefined> => {
    const [service, instance] = [String(body['serviceName']), Number(body['instanceNumber'])];
    const [wasm, container] = [kind !== 'released', kind === 'released'];
    if (wasm && path === '/wasm/deploy')
      return { serviceName: service, ...(await named(`${service}.instance.${instance}`, instance)) };
    if (wasm && path === '/wasm/undeploy') {
      const task = `${service}.instance.${instance}`;
      const stands = existsSync(`/run/netns/${task}`);
      if (!stands && kind === 'ours') return undefined;
      await ip('link', 'del', `v${instance}`).catch(() => undefined);
      if (stands) await ip('netns', 'del', task);
      return { success: true, message: '' };
    }
    if (container && path === '/container/deploy')
      return { serviceName: service, ...(await joined(Number(body['pid']), instance)) };
    if (container && path === '/docker/undeploy') {
      await ip('link', 'del', `v${instance}`).catch(() => undefined);
      return '';
    }
    return undefined;
  };
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const call = { path: request.url ?? '', body: JSON.parse(text) as Record<string, unknown> };
    calls.push(call);
    const refusal = refusals.get(call.path);
    if (refusal) return response.writeHead(refusal.status).end(refusal.text);
    if (call.path === '/register') registered = true;
    else if (!registered) return response.writeHead(400).end();
    try {
      const answer = call.path === '/register' ? '' : await handle(call);
      if (answer === undefined) return response.writeHead(404).end('404 page not found');
      response.end(answer === '' ? '' : JSON.stringify(answer));
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
    /** Knows nothing any more of the worker, as after a restart. */
    forget: () => {
      registered = false;
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
