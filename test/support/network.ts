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

/** A port that the server of the test before has is waited for: that one ends by itself. */
const server = `
const [port, text] = process.argv.slice(1);
const answer = (request, response) => response.end(text === '' ? request.socket.remoteAddress : text);
const again = (begin) => (error) => {
  if (error.code !== 'EADDRINUSE') throw error;
  setTimeout(begin, 50);
};
const serveTcp = () => {
  const tcp = require('node:http').createServer(answer).on('error', again(serveTcp));
  tcp.listen(Number(port), '::', () => console.log('up'));
};
const serveUdp = () => {
  const udp = require('node:dgram').createSocket('udp6').on('error', again(serveUdp));
  udp.on('message', (message, from) => udp.send(text + ':' + message, from.port, from.address));
  udp.bind(Number(port), '::', serveTcp);
};
serveUdp();
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

/** How curl ends when something took too long (curl(1)). */
const timedOut = 28;

/**
 * The body that a URL answers with in another place, or `failed` and why. The kernel makes a connection at once, or it
 * is dropped somewhere; an answer takes as long as the server's process waits for a processor.
 */
export const getFrom = async (prefix: Prefix, url: string): Promise<string> => {
  const limits = ['--connect-timeout', '3', '-m', '60'];
  try {
    return await run(...prefix, 'curl', '--noproxy', '*', '-gsS', ...limits, url);
  } catch (error) {
    const { code, stderr } = error as { code?: number; stderr?: string };
    return code === timedOut ? 'failed: no answer in time' : `failed: ${stderr?.trim()}`;
  }
};

/** How long an answer is waited for, in ms: what is rejected is known at once. */
const udpPatience = 20_000;

const udpClient = `
const [port, host, patience] = process.argv.slice(1);
const socket = require('node:dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4');
setTimeout(() => process.exit(1), Number(patience)).unref();
socket.on('message', (message) => { console.log(String(message)); process.exit(0); });
socket.on('error', () => process.exit(1));
socket.connect(Number(port), host, () => socket.send('ping'));
`;

/** What a datagram `ping` to a port is answered with in another place, or `failed`. */
export const askFrom = async (prefix: Prefix, host: string, port: number): Promise<string> => {
  try {
    return (await run(...prefix, process.execPath, '-e', udpClient, String(port), host, String(udpPatience))).trim();
  } catch {
    return 'failed';
  }
};
