import { type NodeName, nodeAddress } from '../../../test/support/boards.ts';

/** An instance by hand, of the shape of NetManager's: what overlay and plain ways differ in is between the nodes. */
export const plainTask = 'plain';

/** Its address on each node, in the node's subnet. */
export const plainAddress = { a: '10.18.0.2', b: '10.18.0.66' } as const;

const gateway = { a: '10.18.0.1', b: '10.18.0.65' } as const;
const subnet = { a: '10.18.0.0/26', b: '10.18.0.64/26' } as const;
const tunnel = { a: '10.99.0.1', b: '10.99.0.2' } as const;

const otherOf = (name: NodeName): NodeName => (name === 'a' ? 'b' : 'a');

/**
 * The commands that give a node a bridge with one instance, and VXLAN to the other node. Connections are tracked and
 * may be translated, as in every network of containers.
 */
export const plainNetwork = (name: NodeName): string => `
set -e
echo 1 >/proc/sys/net/ipv4/ip_forward
ip link add plain0 mtu 1450 type bridge
ip addr add ${gateway[name]}/26 dev plain0
ip link set plain0 up
ip netns add ${plainTask}
ip link add plain1 mtu 1450 type veth peer name eth0 mtu 1450 netns ${plainTask}
ip link set plain1 master plain0 up
ip -n ${plainTask} link set lo up
ip -n ${plainTask} addr add ${plainAddress[name]}/26 dev eth0
ip -n ${plainTask} link set eth0 up
ip -n ${plainTask} route add default via ${gateway[name]}
modprobe vxlan
ip link add plain2 mtu 1450 type vxlan id 7 local ${nodeAddress[name]} remote ${nodeAddress[otherOf(name)]} dstport 4789 dev eth1
ip addr add ${tunnel[name]}/24 dev plain2
ip link set plain2 up
nft 'table ip plain {
  chain in { type nat hook prerouting priority dstnat; ip daddr 10.30.0.0/16 drop; }
  chain out { type nat hook postrouting priority srcnat; ip saddr ${subnet[name]} ip daddr != 10.18.0.0/16 masquerade; }
}'
`;

/** The commands that have a node lead packets to the other one's instance by a way. */
export const plainWays = {
  bare: (name) => `ip route replace ${subnet[otherOf(name)]} via ${nodeAddress[otherOf(name)]}`,
  VXLAN: (name) => `ip route replace ${subnet[otherOf(name)]} via ${tunnel[otherOf(name)]}`,
} as const satisfies Record<string, (name: NodeName) => string>;
export type PlainWay = keyof typeof plainWays;

/** The commands that take all of it away again. */
export const withoutPlain = `
set -e
nft delete table ip plain
ip link del plain2
ip netns del ${plainTask}
ip link del plain0
ip route flush root 10.18.0.0/16
`;
