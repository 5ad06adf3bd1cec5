import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import { labFault } from '../../../system/errors.ts';
import { findProgram } from '../../../system/programs.ts';
import { deadline } from '../../../system/wait.ts';
import type { PowerPort } from '../definition.ts';
import { nameOf, type Resource, valueIn } from './messages.ts';

/** How long a board is without power, in s: as labgrid has it (labgrid/driver/powerdriver.py). */
const offSeconds = 2;
const daemonOffSeconds = 5;
const switchMs = 30_000;
const daemonPort = 16_421;

/** Who asks labgrid's own client to switch: it obeys the one that has the place. */
export type PlaceOwner = { readonly place: string; readonly coordinator: string; readonly owner: string };

type Request = { readonly url: string; readonly method: 'GET' | 'PUT' | 'POST'; readonly body?: string };
type SwitchModel = (host: string, index: string, on: boolean) => Request;

/** Switches of class NetworkPowerPort that take one HTTP request (labgrid/driver/power/MODEL.py). */
const models: Readonly<Record<string, SwitchModel>> = {
  rest: (host, index, on) => ({ url: host.replaceAll('{index}', index), method: 'PUT', body: on ? '1' : '0' }),
  simplerest: (host, index, on) => ({
    url: host.replaceAll('{index}', index).replaceAll('{value}', on ? '1' : '0'),
    method: 'GET',
  }),
  shelly_gen1: (host, index, on) => ({
    url: `${host}/relay/${index}?turn=${on ? 'on' : 'off'}`,
    method: 'POST',
  }),
  shelly_gen2: (host, index, on) => ({
    url: `${host}/rpc`,
    method: 'POST',
    body: JSON.stringify({ id: 1, method: 'Switch.Set', params: { id: Number(index), on } }),
  }),
};

/** Sends it, with a user's name and password out of the URL, which no error shows. */
const send = async (name: string, { url: written, method, body }: Request, signal: AbortSignal): Promise<void> => {
  const url = URL.parse(written);
  if (url === null || !/^https?:$/.test(url.protocol)) throw labFault(`${name}: its host is no http address`);
  const secret = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const headers = secret === ':' ? {} : { authorization: `Basic ${Buffer.from(secret).toString('base64')}` };
  [url.username, url.password] = ['', ''];
  const response = await fetch(url, { method, headers, signal, ...(body === undefined ? {} : { body }) }).catch(
    (error: unknown) => {
      throw labFault(`${name} does not answer at ${url.host}`, [], error);
    },
  );
  await response.body?.cancel();
  if (!response.ok) throw labFault(`${name} refuses to switch: ${url.host} answers ${response.status}`);
};

const overHttp = (name: string, request: (on: boolean) => Request): PowerPort => ({
  name,
  cycle: async (signal) => {
    const switchTo = (on: boolean, ends?: AbortSignal) =>
      send(name, request(on), deadline(switchMs, `${name}, ${on ? 'on' : 'off'}`, ends));
    signal.throwIfAborted();
    try {
      await switchTo(false, signal);
      await pause(offSeconds * 1000, undefined, { signal });
    } finally {
      // also when it was interrupted: the next one who has the place wants a board with power
      await switchTo(true);
    }
  },
});

const byDaemon = (name: string, { params }: Resource): PowerPort => ({
  name,
  cycle: async (signal) => {
    const given = String(valueIn(params, 'host') ?? '');
    const url = URL.parse(given.includes('//') ? given : `http://${given}`);
    if (url === null) throw labFault(`${name}: its host is no address`);
    if (url.port === '') url.port = `${daemonPort}`;
    url.pathname = '/power/control/reboot';
    url.search = new URLSearchParams({
      hostname: String(valueIn(params, 'pdu') ?? ''),
      port: String(valueIn(params, 'index') ?? ''),
      delay: `${daemonOffSeconds}`,
    }).toString();
    await send(name, { url: url.href, method: 'GET' }, deadline(switchMs, name, signal));
  },
});

const byClient = (name: string, client: string, { place, coordinator, owner }: PlaceOwner): PowerPort => ({
  name,
  cycle: async (signal) => {
    const [host, user] = owner.split('/');
    await execa(client, ['--coordinator', coordinator, '-p', place, 'power', 'cycle'], {
      stdin: 'ignore',
      env: { LG_HOSTNAME: host, LG_USERNAME: user },
      cancelSignal: signal,
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw labFault(`${name}: labgrid-client could not switch it`, [], error);
    });
  },
});

/**
 * How a place's board loses its power and gets it back. What takes one HTTP request is asked for it; everything else is
 * left to labgrid's own client, and cannot be used where that is not installed: `note` is told.
 */
export const powerPort = (
  resource: Resource,
  owner: PlaceOwner,
  note: (text: string) => void,
): PowerPort | undefined => {
  const name = `power switch ${nameOf(resource)}`;
  const model = resource.cls === 'NetworkPowerPort' ? models[String(valueIn(resource.params, 'model'))] : undefined;
  const isForwarded = valueIn(resource.extra, 'proxy_required') === true;
  if (model && !isForwarded) {
    const host = String(valueIn(resource.params, 'host')).replace(/\/$/, '');
    const index = String(valueIn(resource.params, 'index'));
    return overHttp(name, (on) => model(host, index, on));
  }
  if (resource.cls === 'PDUDaemonPort' && !isForwarded) return byDaemon(name, resource);
  const client = findProgram('labgrid-client');
  if (client !== undefined) return byClient(name, client, owner);
  note(`the ${name} cannot be used: it needs labgrid-client, which is not installed (pip install labgrid)`);
  return undefined;
};
