import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** The words before a command that make it run in other namespaces; none for the ones that a test runs in. */
export type Prefix = readonly string[];

/** Runs a command and returns its standard output. */
export const run = async (...[file = '', ...args]: readonly string[]): Promise<string> =>
  (await execute(file, args, { maxBuffer: 1 << 24 })).stdout;

/** Sets a kernel setting of another place by its path below /proc/sys: sysctl(8) is not on everybody's path. */
export const setKernel = async (prefix: Prefix, setting: string, value: string): Promise<void> => {
  await run(...prefix, 'sh', '-c', 'echo "$1" > "/proc/sys/$0"', setting, value);
};

const server = `
const [port, text] = process.argv.slice(1);
const answer = (request, response) => response.end(text === '' ? request.socket.remoteAddress : text);
require('node:http').createServer(answer).listen(Number(port), '::', () => console.log('up'));
const udp = require('node:dgram').createSocket('udp6');
udp.on('message', (message, from) => udp.send(text + ':' + message, from.port, from.address)).bind(Number(port), '::');
process.stdin.resume().on('close', () => process.exit());
`;

/**
 * Serves `text` over HTTP and UDP on a port of another place, for both families, until it is disposed of. Without a
 * text the answer is the address that the request came from.
 */
export const serveAt = async (prefix: Prefix, port: number, text: string): Promise<Disposable> => {
  const [file = '', ...args] = [...prefix, process.execPath, '-e', server, String(port), text];
  const child = execFile(file, args, { env: { PATH: process.env['PATH'] } });
  // Behind a prefix that forks, a signal would end the wrong process; the end of its input reaches the server.
  const stop = () => void child.stdin?.end();
  await new Promise((resolve, reject) => {
    child.stdout?.once('data', resolve);
    child.once('exit', (code) => reject(new Error(`the server for tests ended: ${code}`)));
  });
  return { [Symbol.dispose]: stop };
};

/** The body that a URL answers with in another place, or `failed` and why. */
export const getFrom = async (prefix: Prefix, url: string): Promise<string> => {
  try {
    return await run(...prefix, 'curl', '--noproxy', '*', '-gsS', '-m', '3', url);
  } catch (error) {
    return `failed: ${(error as { stderr?: string }).stderr?.trim()}`;
  }
};

const udpClient = `
const [port, host] = process.argv.slice(1);
const socket = require('node:dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4');
setTimeout(() => process.exit(1), 3000).unref();
socket.on('message', (message) => { console.log(String(message)); process.exit(0); });
socket.on('error', () => process.exit(1));
socket.connect(Number(port), host, () => socket.send('ping'));
`;

/** What a datagram `ping` to a port is answered with in another place, or `failed`. */
export const askFrom = async (prefix: Prefix, host: string, port: number): Promise<string> => {
  try {
    return (await run(...prefix, process.execPath, '-e', udpClient, String(port), host)).trim();
  } catch {
    return 'failed';
  }
};
