import { execOk, type Machine } from '../machine.ts';
import type { SegmentPort } from './segment.ts';

// a USB network device has another first byte than QEMU was told (hw/usb/dev-network.c)
const script = `
for link in /sys/class/net/*; do
  case $(cat "$link/address") in *"\${1#??}") device=\${link##*/} ;; esac
done
[ -n "$device" ] || { echo "no interface has the address $1" >&2; exit 1; }
ip address replace "$2" dev "$device" && ip link set "$device" up && hostname "$3"
`;

/** Gives a board that was started with `port` its address on the segment, and its host name. */
export const joinSegment = async (
  machine: Machine,
  { mac, address }: SegmentPort,
  host: string,
  signal: AbortSignal,
): Promise<void> => {
  await execOk(machine, ['sh', '-c', script, 'sh', mac, address, host], { signal });
};
