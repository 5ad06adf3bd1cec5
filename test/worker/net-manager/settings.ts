import { parseSubnet } from '../../../worker/net-manager/plan/addresses.ts';
import type { Settings } from '../../../worker/net-manager/plan/settings.ts';

/** Settings of a node in a cluster, but for `changes`. */
export const settingsWith = (changes: Partial<Settings> = {}): Settings => ({
  topology: 'bridged',
  egress: 'on',
  access: [],
  cluster: { addresses: ['192.0.2.1', '2001:db8::1'], ports: ['10003'] },
  services: ['10.30.0.0/16', 'fdff::/16'],
  overlay: 'on',
  tunnelPort: 50_103,
  mtu: 1450,
  uplink: undefined,
  subnet: parseSubnet('10.10.0.0', 'fc00::100'),
  ...changes,
});
