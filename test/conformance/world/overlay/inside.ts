import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Prefix } from '../../../support/network.ts';

/** Sends and takes datagrams, and opens connections, as it is told line by line; says what comes of it. */
const program = `
const dgram = require('node:dgram'), net = require('node:net');
const say = (event) => process.stdout.write(JSON.stringify(event) + '\\n');
const sockets = new Map();
const udp = (name, host) => {
  if (!sockets.has(name)) {
    const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.on('message', (text, { address }) => say({ name, what: 'answered', text: String(text), from: address }));
    socket.on('error', ({ code }) => say({ name, what: 'failed', text: code, from: host }));
    sockets.set(name, socket);
  }
  return sockets.get(name);
};
const orders = {
  send: ({ name, host, port, text }) => udp(name, host).send(text, port, host, (error) => {
    if (error) say({ name, what: 'failed', text: error.code, from: host });
  }),
  flood: ({ name, hosts, port }) => {
    for (const host of hosts) udp(name, host).send('?', port, host, () => {});
    say({ name, what: 'sent', text: '', from: '' });
  },
  connect: ({ name, host, port }) => {
    const socket = net.connect(port, host, () => say({ name, what: 'connected', text: '', from: host }));
    socket.on('error', ({ code }) => say({ name, what: 'failed', text: code, from: host }));
    sockets.set(name, socket);
  },
  write: ({ name, text }) => sockets.get(name).write(text),
  serve: ({ name, port }) => {
    const socket = dgram.createSocket('udp6');
    socket.on('error', ({ code }) => say({ name, what: 'failed', text: code, from: '' }));
    socket.on('message', (text, { address, port: from }) => {
      say({ name, what: 'asked', text: String(text), from: address });
      socket.send(name + ':' + text, from, address);
    });
    socket.bind(port, '::', () => say({ name, what: 'serves', text: '', from: '' }));
  },
};
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const order = JSON.parse(line);
  orders[order.order](order);
}).on('close', () => process.exit());
`;

/** What happened to a socket of an instance, by the socket's name. */
export type Happening = {
  readonly name: string;
  readonly what: 'answered' | 'asked' | 'connected' | 'failed' | 'sent' | 'serves';
  readonly text: string;
  /** The address that it came from, or was meant for. */
  readonly from: string;
};

type Order =
  | { readonly order: 'send'; name: string; host: string; port: number; text: string }
  | { readonly order: 'flood'; name: string; hosts: readonly string[]; port: number }
  | { readonly order: 'connect'; name: string; host: string; port: number }
  | { readonly order: 'write'; name: string; text: string }
  | { readonly order: 'serve'; name: string; port: number };

/** What runs in an instance. */
export type Inside = AsyncDisposable & {
  readonly happenings: readonly Happening[];
  readonly tell: (order: Order) => void;
};

/** Runs it in the place of `prefix`. */
export const openInside = (prefix: Prefix): Inside => {
  const [file = '', ...args] = [...prefix, process.execPath, '-e', program];
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const happenings: Happening[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    const happening = JSON.parse(line) as Happening;
    happenings.push({ ...happening, from: happening.from.replace(/^::ffff:/, '') });
  });
  const ended = once(child, 'exit');
  return {
    happenings,
    tell: (order) => {
      if (child.exitCode !== null) throw new Error(`what runs in an instance ended with ${child.exitCode}`);
      child.stdin.write(`${JSON.stringify(order)}\n`);
    },
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      await ended;
    },
  };
};
