import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { deadline, until } from '../../../lab/system/wait.ts';
import { askFrom, getFrom, type Prefix, run, serveAt } from '../../support/network.ts';

export { run };

/** The place that is a named network namespace, or this one. */
const inside = (namespace: string | undefined): Prefix =>
  namespace === undefined ? [] : ['nsenter', `--net=/run/netns/${namespace}`, '--'];

/** Runs a command in a named network namespace. */
export const inNamespace = (name: string, ...argv: readonly string[]): Promise<string> => run(...inside(name), ...argv);

/** Serves `text` over HTTP and UDP on a port of a namespace (of this one when undefined), for both families. */
export const serve = (namespace: string | undefined, port: number, text: string): Promise<Disposable> =>
  serveAt(inside(namespace), port, text);

/** The body that a URL answers with from a namespace (this one when undefined), or `failed` and why. */
export const get = (namespace: string | undefined, url: string): Promise<string> => getFrom(inside(namespace), url);

/** What a datagram `ping` to a port is answered with, or `failed`. */
export const ask = (namespace: string | undefined, host: string, port: number): Promise<string> =>
  askFrom(inside(namespace), host, port);

/** Everything in this namespace that a deployment could leave behind. */
export const footprint = async () => ({
  links: (JSON.parse(await run('ip', '-j', 'link')) as readonly { ifname: string }[]).map(({ ifname }) => ifname),
  addresses: (await run('ip', '-o', 'addr')).replaceAll(/ tentative| valid_lft.*$/gm, ''),
  routes: ((await run('ip', 'route')) + (await run('ip', '-6', 'route'))).replaceAll(' linkdown', ''),
  rules: await run('nft', 'list', 'ruleset'),
  namespaces: await readdir('/run/netns').catch((): string[] => []),
});

/** Another machine: a namespace `lab` that an uplink joins to this one (192.168.50.1 and fd50::1 here, .2 and ::2 there). */
export const attachLab = async (): Promise<void> => {
  await run('ip', 'netns', 'add', 'lab');
  await run('ip', 'link', 'add', 'uplink', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', 'lab');
  for (const [prefix, device, number] of [
    [[], 'uplink', 1],
    [['-n', 'lab'], 'eth0', 2],
  ] as const) {
    await run('ip', ...prefix, 'addr', 'add', `192.168.50.${number}/24`, 'dev', device);
    await run('ip', ...prefix, 'addr', 'add', `fd50::${number}/64`, 'dev', device, 'nodad');
    await run('ip', ...prefix, 'link', 'set', device, 'up');
  }
  await run('ip', '-n', 'lab', 'link', 'set', 'lo', 'up');
  // the kernel gives both ends an address of their own a moment later
  for (const prefix of [[], ['-n', 'lab']]) {
    const hasOwn = async () => /fe80::/.test(await run('ip', ...prefix, '-6', 'addr')) || undefined;
    await until(hasOwn, deadline(120_000, 'an address of the link'));
  }
};

/** What `look` sees, once it has seen the same for a while: the kernel gives links their own addresses by and by. */
export const settled = async <T>(look: () => Promise<T>): Promise<T> => {
  let seen = await look();
  return await until(
    async () => {
      await sleep(300);
      const before = seen;
      seen = await look();
      return isDeepStrictEqual(seen, before) ? seen : undefined;
    },
    deadline(120_000, 'a board at rest'),
  );
};
