import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import http from 'node:http';
import { isIPv4, isIPv6 } from 'node:net';
import { readHost } from '../../../worker/contract/host.ts';
import { registrationPath } from '../../../worker/contract/registration.ts';
import { authority } from '../../cluster/http.ts';
import { labFault, messageOf, usageFault } from '../../system/errors.ts';
import { deadline } from '../../system/wait.ts';

/** Where a cluster registers workers unless another port is named (contract, section 1). */
const defaultPort = 10_100;
const answerMs = 10_000;

/** A cluster that exists already, as a user names it, and what other computers reach this one by. */
export type ClusterTarget = {
  /** `HOST:PORT`. */
  readonly where: string;
  /** The host's IPv4 address. */
  readonly address: string;
  readonly port: number;
  readonly publicAddress: string;
};

const example = 'npm run lab -- up --join cluster.example.org:10100';

/** Host and port in `HOST[:PORT]`, an IPv6 address in brackets or alone. Throws a usage fault for anything else. */
export const readTarget = (text: string): { readonly host: string; readonly port: number } => {
  const [, named = text, digits] = (isIPv6(text) ? undefined : /^(.*?)(?::(\d*))?$/s.exec(text)) ?? [];
  const port = digits === undefined ? defaultPort : Number(digits);
  try {
    const host = readHost(named, '--join');
    if (host === '' || ['0.0.0.0', '::'].includes(host)) throw new Error(`'${text}' names no cluster`);
    if (port < 1 || port > 65_535) throw new Error(`'${text}' has no port from 1 to 65535`);
    return { host, port };
  } catch (error) {
    throw usageFault(`--join takes HOST[:PORT]: ${messageOf(error)}`, [example]);
  }
};

/** This computer's address on the way to another one. No packet is sent. */
const addressTowards = async (address: string): Promise<string> => {
  const socket = createSocket('udp4');
  try {
    socket.connect(defaultPort, address);
    await once(socket, 'connect');
    return socket.address().address;
  } finally {
    socket.close();
  }
};

/** The IPv4 address of a host: an emulated board has no IPv6 on the way out. */
const addressOf = async (host: string): Promise<string> => {
  if (isIPv4(host)) return host;
  const next = ['name its address instead: --join ADDRESS:PORT'];
  const found = await lookup(host, { all: true }).catch((error: unknown) => {
    throw labFault(`the cluster's name ${host} cannot be resolved`, next, error);
  });
  const first = found.find(({ family }) => family === 4);
  if (first === undefined) throw labFault(`the cluster ${host} has no IPv4 address, and the board has no IPv6`, next);
  return first.address;
};

/** Whether something answers HTTP there: only that makes it worth it to boot a board. */
const probe = async (where: string, address: string, port: number, signal: AbortSignal): Promise<void> => {
  const ends = deadline(answerMs, `the answer of ${where}`, signal);
  const url = `http://${authority(address, port)}${registrationPath}`;
  try {
    const request = http.get(url, { agent: false, signal: ends });
    const [response] = (await once(request, 'response', { signal: ends })) as [http.IncomingMessage];
    response.destroy();
  } catch (error) {
    signal.throwIfAborted();
    const { code = '' } = error as NodeJS.ErrnoException;
    const reason = ends.aborted
      ? `does not answer within ${answerMs / 1000} s: a firewall may drop what is sent there`
      : code === 'ECONNREFUSED'
        ? 'refuses the connection: nothing listens there'
        : code.startsWith('HPE_')
          ? 'answers, but not in HTTP: that port belongs to another program'
          : `cannot be reached: ${messageOf(error)}`;
    throw labFault(
      `the cluster at ${where} ${reason}`,
      [`the port is that of the cluster manager, ${defaultPort} unless it was changed: ${example}`],
      error,
    );
  }
};

/**
 * The cluster that a user names, once it answers from this computer. Throws a usage fault for words that name none, and a
 * lab fault with the reason for one that cannot be reached.
 */
export const findCluster = async (
  join: string,
  publicAddress: string | undefined,
  signal: AbortSignal,
): Promise<ClusterTarget> => {
  if (publicAddress !== undefined && (!isIPv4(publicAddress) || publicAddress === '0.0.0.0'))
    throw usageFault(`--public-address takes an IPv4 address by which other workers reach this computer`);
  const { host, port } = readTarget(join);
  const where = authority(host, port);
  const address = await addressOf(host);
  if (address.startsWith('127.') && address !== '127.0.0.1')
    throw usageFault(`of this computer's own addresses a board reaches 127.0.0.1, not ${address}`, [
      `npm run lab -- up --join 127.0.0.1:${port}`,
    ]);
  await probe(where, address, port, signal);
  return { where, address, port, publicAddress: publicAddress ?? (await addressTowards(address)) };
};
