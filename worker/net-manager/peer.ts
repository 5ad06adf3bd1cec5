import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';

/** One end of a connection over IPv4. */
type End = { readonly address: string; readonly port: number };

/** An end as the kernel's tables write it: hexadecimal, the address in the byte order of this computer (little endian). */
const hexOf = ({ address, port }: End, family: 4 | 6): string => {
  const bytes = Uint8Array.from(address.split('.').map(Number)).toReversed();
  const v4 = Buffer.from(bytes).toString('hex').toUpperCase();
  const digits = family === 4 ? v4 : `0000000000000000FFFF0000${v4}`;
  return `${digits}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
};

/**
 * The user whose process holds the socket `from` that is connected to `to`, from the text of `/proc/net/tcp`, or of
 * `/proc/net/tcp6` for one that reached IPv4 from there (proc(5)). A socket that its process has closed is shown with
 * user 0 and no inode: it is nobody's.
 */
export const ownerIn = (table: string, from: End, to: End, family: 4 | 6): number | undefined => {
  const ends = [hexOf(from, family), hexOf(to, family)];
  for (const line of table.split('\n')) {
    const [, local, remote, , , , , user, , inode] = line.trim().split(/\s+/);
    if (local === ends[0] && remote === ends[1]) return inode === '0' || inode === undefined ? undefined : Number(user);
  }
  return undefined;
};

/** The user that opened a connection to a port of 127.0.0.1; undefined when nobody holds its other end any more. */
const ownerOf = async (socket: Socket): Promise<number | undefined> => {
  const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = socket;
  const from = { address: remoteAddress, port: remotePort };
  const to = { address: localAddress, port: localPort };
  const [v4, v6] = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/self/net/${name}`, 'utf8').catch(() => '')),
  );
  return ownerIn(v4 ?? '', from, to, 4) ?? ownerIn(v6 ?? '', from, to, 6);
};

/**
 * Why who is at the other end of a connection may ask nothing; undefined for root and for this process's own user. A
 * TCP port has no owner and no mode as the unix socket has, and Oakestra's own node engine sends no token; what the
 * kernel knows of the other end keeps every other user of this board out.
 */
export const refusalFor = async (socket: Socket): Promise<string | undefined> => {
  const user = await ownerOf(socket);
  if (user === 0 || user === process.getuid?.()) return undefined;
  const who = user === undefined ? 'the process that asked is gone' : `the process that asked runs as user ${user}`;
  return `only root may ask over TCP, and ${who}; on the unix socket its mode decides`;
};
