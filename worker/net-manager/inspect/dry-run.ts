import { NetDeployRequest } from '../../contract/net-http.ts';
import { readJson, type Warn } from '../../contract/read.ts';
import type { Config } from '../config.ts';
import type { Contents } from '../journal.ts';
import { freeSlot, parseSubnet, slots } from '../plan/addresses.ts';
import type { Instance } from '../plan/instance.ts';
import { desiredOverlayOf } from '../plan/overlay/desired.ts';
import { changeOverlay, planOverlay } from '../plan/overlay/plan.ts';
import { planText } from '../plan/plan.ts';
import { planInstance, planNode } from '../plan/planner.ts';
import { targetsOf } from '../plan/port-maps.ts';
import { settingsOf } from '../plan/settings.ts';
import { instanceAt, instanceSpecOf } from '../request.ts';

// The first pools that a cluster gives out (contract, section 6).
const exampleSubnet = { address: '10.18.0.0', addressv6: 'fc00::' };

/**
 * The commands that a deployment would run, as text for a root shell, computed from the journal and the configuration
 * alone. Throws `InvalidData` or `RequestError` for a request that would be refused.
 */
export const dryRun = (request: string, config: Config, journal: Contents, note: Warn): string => {
  const asked = instanceSpecOf(readJson(NetDeployRequest, request, '--plan', note));
  const subnet = journal.subnet ?? exampleSubnet;
  const settings = settingsOf(config, parseSubnet(subnet.address, subnet.addressv6), journal.topology);
  const instances = journal.entries.map(({ instance }) => instance);
  const slot = freeSlot(instances.map((instance) => instance.slot)) ?? slots.last;
  const services = journal.overlay?.services ?? [];
  const overlaid = settings.overlay !== 'off' && journal.overlay?.trouble === undefined;
  const wanted = (all: readonly Instance[]) => desiredOverlayOf(settings, services, all);
  const node = [
    ...planNode(settings, { instances, advertised: [] }),
    ...(overlaid ? planOverlay(settings, wanted(instances)) : []),
  ];
  const once = journal.subnet
    ? '# the network of the node exists already\n'
    : `# once a node; the cluster has given no addresses, ${subnet.address} is an example\n${planText(node)}`;
  const mapped = instances.flatMap((instance) => targetsOf(settings, instance));
  const instance = instanceAt(slot, asked);
  const plan = [
    ...planInstance(settings, instance),
    ...(overlaid ? changeOverlay(settings, wanted(instances), wanted([...instances, instance])) : []),
  ];
  const later = overlaid ? "# the overlay leads to it once the cluster's answer has its own address\n" : '';
  return `${once}# the instance\n${planText(plan, mapped)}${later}`;
};
