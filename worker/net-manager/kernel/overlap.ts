import { networkOf, overlaps } from '../plan/addresses.ts';
import { bridge, hostLinkMark } from '../plan/instance.ts';
import type { Place } from '../plan/observed.ts';
import type { Settings } from '../plan/settings.ts';
import { RequestError } from '../request-error.ts';
import { observePlace } from './observe.ts';

/** A network of the board's own, and where it is. */
type Taken = { readonly network: string; readonly link: string; readonly where: string };

/** The networks that a board's addresses and routes take; its default routes, and what leads nowhere, take none. */
export const takenBy = ({ addresses, routes }: Pick<Place, 'addresses' | 'routes'>): readonly Taken[] => [
  ...[...addresses].flatMap((text) => {
    const [network = '', link = ''] = text.split(' on ');
    return [{ network, link, where: `on ${link}` }];
  }),
  ...[...routes].flatMap((text) => {
    const found = /^(?<network>[0-9a-f:][^ ]*)(?: via \S+)? by (?<link>.+)$/.exec(text)?.groups;
    const { network = '', link = '' } = found ?? {};
    return found && network !== 'default' ? [{ network, link, where: `routed to ${link}` }] : [];
  }),
];

/** Throws a {@link RequestError} that names both when a subnet has addresses that the board uses for something else. */
export const checkOverlap = async ({ subnet }: Settings, tunnel: string): Promise<void> => {
  const isOurs = ({ link }: Taken) => link === bridge || link === tunnel || link.startsWith(hostLinkMark);
  const taken = takenBy(await observePlace()).filter((each) => !isOurs(each));
  for (const own of Object.values(networkOf(subnet))) {
    const clash = taken.find(({ network }) => overlaps(own, network));
    if (clash)
      throw new RequestError(
        500,
        `the cluster's subnet ${own} overlaps ${clash.network} ${clash.where} of this board; ` +
          'give the cluster or the board other addresses',
      );
  }
};
