import { readFile } from 'node:fs/promises';

/** Ports of this node that a program listens on, by protocol. */
export type PortsInUse = { readonly tcp: ReadonlySet<number>; readonly udp: ReadonlySet<number> };

// States of proc(5) net/tcp: a listening TCP socket, an unconnected UDP socket.
const listening = { tcp: '0A', udp: '07' } as const;

/** The local ports of the sockets in a state, from the text of `/proc/net/{tcp,udp}{,6}`. */
export const parseSockets = (text: string, state: string): readonly number[] =>
  text.split('\n').flatMap((line) => {
    const [, local = '', , current] = line.trim().split(/\s+/);
    const port = /^[0-9A-F]+:(?<port>[0-9A-F]{4})$/.exec(local)?.groups?.['port'];
    return port !== undefined && current === state ? [Number.parseInt(port, 16)] : [];
  });

const table = async (name: string): Promise<string> => {
  try {
    return await readFile(`/proc/self/net/${name}`, 'utf8');
  } catch (error) {
    // A kernel without IPv6 has no such table.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
};

/** Asks the kernel which ports programs listen on in this network namespace. */
export const portsInUse = async (): Promise<PortsInUse> => {
  const ports = async (protocol: 'tcp' | 'udp') => {
    const texts = await Promise.all([table(protocol), table(`${protocol}6`)]);
    return new Set(texts.flatMap((text) => parseSockets(text, listening[protocol])));
  };
  const [tcp, udp] = await Promise.all([ports('tcp'), ports('udp')]);
  return { tcp, udp };
};
