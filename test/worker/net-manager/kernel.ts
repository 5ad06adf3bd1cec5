import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export const run = async (...[file = '', ...args]: readonly string[]): Promise<string> =>
  (await execute(file, args)).stdout;

/** Runs a command in a named network namespace. */
export const inNamespace = (name: string, ...argv: readonly string[]): Promise<string> =>
  run('nsenter', `--net=/run/netns/${name}`, '--', ...argv);

/** Everything in this namespace that a deployment could leave behind. */
export const footprint = async () => ({
  links: (JSON.parse(await run('ip', '-j', 'link')) as readonly { ifname: string }[]).map(({ ifname }) => ifname),
  addresses: (await run('ip', '-o', 'addr')).replaceAll(/ tentative| valid_lft.*$/gm, ''),
  routes: ((await run('ip', 'route')) + (await run('ip', '-6', 'route'))).replaceAll(' linkdown', ''),
  rules: await run('nft', 'list', 'ruleset'),
  namespaces: await readdir('/run/netns').catch((): string[] => []),
});

const server = `
const [port, text] = process.argv.slice(1);
require('node:http').createServer((_, response) => response.end(text)).listen(Number(port), '::', () => console.log('up'));
const udp = require('node:dgram').createSocket('udp6');
udp.on('message', (message, from) => udp.send(text + ':' + message, from.port, from.address)).bind(Number(port), '::');
`;

/** Serves `text` over HTTP and UDP on a port of a namespace (of this one when undefined), for both families. */
export const serve = async (namespace: string | undefined, port: number, text: string) => {
  const inside = namespace === undefined ? [] : ['nsenter', `--net=/run/netns/${namespace}`, '--'];
  const [file = '', ...args] = [...inside, process.execPath, '-e', server, String(port), text];
  const child = execFile(file, args);
  await new Promise((resolve, reject) => {
    child.stdout?.once('data', resolve);
    child.once('exit', (code) => reject(new Error(`the server for tests ended: ${code}`)));
  });
  return { [Symbol.dispose]: () => void child.kill('SIGKILL') };
};

/** The body that a URL answers with from a namespace (this one when undefined), or `failed` and why. */
export const get = async (namespace: string | undefined, url: string): Promise<string> => {
  const argv = ['curl', '--noproxy', '*', '-gsS', '-m', '3', url];
  try {
    return await (namespace === undefined ? run(...argv) : inNamespace(namespace, ...argv));
  } catch (error) {
    return `failed: ${(error as { stderr?: string }).stderr?.trim()}`;
  }
};

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
};

const udpClient = `
const [port, host] = process.argv.slice(1);
const socket = require('node:dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4');
setTimeout(() => process.exit(1), 3000).unref();
socket.on('message', (message) => { console.log(String(message)); process.exit(0); });
socket.on('error', () => process.exit(1));
socket.connect(Number(port), host, () => socket.send('ping'));
`;

/** What a datagram `ping` to a port is answered with, or `failed`. */
export const ask = async (namespace: string | undefined, host: string, port: number): Promise<string> => {
  const argv = [process.execPath, '-e', udpClient, String(port), host];
  try {
    return (await (namespace === undefined ? run(...argv) : inNamespace(namespace, ...argv))).trim();
  } catch {
    return 'failed';
  }
};
