import { commandFolder, fetchTools } from './tools.ts';

const commands = {
  bridge: 'usr/sbin/bridge',
  curl: 'usr/bin/curl',
  ip: 'usr/bin/ip',
  nft: 'usr/sbin/nft',
  ping: 'usr/bin/ping',
  tc: 'usr/sbin/tc',
  tcpdump: 'usr/bin/tcpdump',
} as const;

/** A folder for PATH with the network programs that a worker needs, for a host that has not got them. */
export const networkCommands = async (signal?: AbortSignal): Promise<string> =>
  commandFolder(await fetchTools('network', undefined, signal), commands, signal);
