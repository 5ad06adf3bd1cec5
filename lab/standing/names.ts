import { isServiceName } from '../../worker/contract/names.ts';
import { type PortMapping, parsePorts } from '../../worker/contract/ports.ts';
import { messageOf, usageFault } from '../system/errors.ts';

const longest = 30;
/** Where a component is reached on the board unless another port is asked for. */
const firstPort = 8080;
const innerPort = 80;

/** The service's short name in a user's word or in a component's file name: what a cluster allows of it. */
export const shortName = (text: string): string => text.replace(/[^a-zA-Z0-9]/g, '').slice(0, longest);

/** The whole name by which a cluster knows a service. Throws a usage fault where nothing of `text` can be a name. */
export const serviceNameOf = (text: string): string => {
  const name = `lab.test.${shortName(text)}.test`;
  if (isServiceName(name)) return name;
  throw usageFault(`'${text}' has no letter or digit that could name a service: add --name NAME`);
};

/** The ports of a service that has a free one of the board lead to its port 80. `taken` are the TCP ports in use. */
const freeMapping = (taken: ReadonlySet<number>): PortMapping => {
  let host = firstPort;
  while (taken.has(host)) host += 1;
  return { host, inner: innerPort, protocol: 'tcp' };
};

/** A service with the ports of the board that lead to it. */
export type Mapped = { readonly service: string; readonly mappings: readonly PortMapping[] };

/**
 * The port mappings of a service: those that were asked for, or a free port of the board. Throws a usage fault for a text
 * that names none, and when another service has one of them.
 */
export const mappingsFor = (port: string | undefined, others: readonly Mapped[]): readonly PortMapping[] => {
  const owners = new Map(
    others.flatMap(({ service, mappings }) =>
      mappings.map(({ host, protocol }) => [`${host}/${protocol}`, service] as const),
    ),
  );
  if (port === undefined) {
    const tcp = others.flatMap(({ mappings }) => mappings.filter(({ protocol }) => protocol === 'tcp'));
    return [freeMapping(new Set(tcp.map(({ host }) => host)))];
  }
  const mappings = parsed(port);
  for (const { host, protocol } of mappings) {
    const owner = owners.get(`${host}/${protocol}`);
    if (owner !== undefined)
      throw usageFault(`port ${host}/${protocol} of the board leads to ${owner} already`, [
        `npm run lab -- undeploy ${owner}`,
        'or choose another one: --port',
      ]);
  }
  return mappings;
};

const parsed = (port: string): readonly PortMapping[] => {
  try {
    return parsePorts(port);
  } catch (error) {
    throw usageFault(messageOf(error), ['--port 8080:80']);
  }
};
