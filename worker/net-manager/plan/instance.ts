import Type, { type Static } from 'typebox';
import { taskId } from '../../contract/names.ts';

/** What is known of a deployed instance: enough to compute its plan again after a crash. */
export const Instance = Type.Object({
  service: Type.String(),
  instance: Type.Integer({ minimum: 0 }),
  /** The process whose namespace is used; 0 for a named namespace of its own. */
  pid: Type.Integer({ minimum: 0 }),
  slot: Type.Integer({ minimum: 2, maximum: 62 }),
  ports: Type.Array(Type.Object({ host: Type.Integer(), inner: Type.Integer(), protocol: Type.Enum(['tcp', 'udp']) })),
});
export type Instance = Static<typeof Instance>;

export const bridge = 'goProxyBridge';

/** The mark of links that this program owns; no other link is ever removed. */
export const hostLinkMark = 'veth00oak';

/** The link that is there while packets are sent to try the firewalls of others. */
export const trialLink = 'oaktrial0';

/** The two ends of an instance's link: on the board, and in the instance's namespace. */
export const linksOf = ({ slot }: Pick<Instance, 'slot'>) => ({
  host: `${hostLinkMark}${slot}`,
  inner: `veth01oak${slot}`,
});

/** The namespace's name, which is the instance's task id. */
export const namespaceOf = ({ service, instance }: Pick<Instance, 'service' | 'instance'>): string =>
  taskId(service, instance);
