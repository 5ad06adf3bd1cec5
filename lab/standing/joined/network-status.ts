import Type, { type Static } from 'typebox';
import { parseJson } from '../../../worker/contract/check.ts';
import { taskId } from '../../../worker/contract/names.ts';
import { execOk, type Machine } from '../../machine/machine.ts';

/** What of `NetManager --status` is needed here. */
const NetworkStatus = Type.Object({
  subnet: Type.Optional(Type.Object({ address: Type.String(), addressv6: Type.String() })),
  instances: Type.Array(
    Type.Object({
      service: Type.String(),
      instance: Type.Integer(),
      v4: Type.Optional(Type.String()),
      /** As in `8080:80/tcp;53:53/udp`. */
      ports: Type.String(),
    }),
  ),
});
export type NetworkStatus = Static<typeof NetworkStatus>;

/** What the network of a board's worker is. It takes a process on the board: rather look at {@link tasksOn} first. */
export const networkStatus = async (machine: Machine, signal: AbortSignal): Promise<NetworkStatus> =>
  parseJson(NetworkStatus, await execOk(machine, ['NetManager', '--status'], { signal }), "NetManager's status");

/** The tasks that have a network on a board: each has a namespace of its name (contract, section 2). */
export const tasksOn = async (machine: Machine, signal: AbortSignal): Promise<readonly string[]> => {
  const listed = await execOk(machine, ['ip', 'netns', 'list'], { signal });
  return listed
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => /\.instance\.\d+$/.test(name))
    .toSorted();
};

/** The tasks that a status is about. */
export const tasksIn = ({ instances }: NetworkStatus): readonly string[] =>
  instances.map(({ service, instance }) => taskId(service, instance)).toSorted();
