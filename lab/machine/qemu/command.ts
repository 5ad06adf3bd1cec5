import type { BootImage } from '../../image/image.ts';
import type { SegmentPort } from '../segment/segment.ts';
import { userNetwork } from '../user-network.ts';
import type { Bus, MachineDefinition } from './definitions.ts';

/** Names of the sockets and files that an emulator makes in its folder. */
export const runFiles = {
  monitor: 'monitor.sock',
  agent: 'agent.sock',
  shell: 'shell.sock',
  console: 'console.log',
} as const;

/** A value within a comma-separated option: commas are doubled. */
const quoted = (value: string): string => value.replaceAll(',', ',,');

const shellSocket = `socket,id=shell,server=on,wait=off,path=${runFiles.shell}`;

/** Network, agent and console by bus. Where there is one terminal only, the shell is on the console. */
const ports: Readonly<Record<Bus, readonly string[]>> = {
  virtio: [
    ...['-device', 'virtio-net-pci,netdev=uplink,romfile='],
    ...['-device', 'virtio-rng-pci', '-device', 'virtio-serial-pci'],
    ...['-device', 'virtserialport,chardev=agent,name=org.qemu.guest_agent.0'],
    ...['-chardev', shellSocket, '-device', 'virtconsole,chardev=shell'],
    ...['-chardev', `file,id=console,path=${runFiles.console}`, '-serial', 'chardev:console'],
  ],
  usb: [
    ...['-device', 'usb-serial,chardev=agent', '-device', 'usb-net,netdev=uplink'],
    ...['-chardev', `${shellSocket},logfile=${runFiles.console}`, '-serial', 'chardev:shell'],
  ],
};

const segmentCards: Readonly<Record<Bus, string>> = { virtio: 'virtio-net-pci,romfile=', usb: 'usb-net' };

const cardSlots: Readonly<Record<Bus, string>> = { virtio: 'virtio', usb: 'sd' };

const disks = (bus: Bus, { card, layers, keepsWrites }: BootImage): readonly string[] => {
  // what the guest writes to a card that is shared goes into a temporary file
  const snapshot = keepsWrites ? 'off' : 'on';
  if (card !== undefined)
    return ['-drive', `if=${cardSlots[bus]},format=raw,snapshot=${snapshot},file=${quoted(card)}`];
  return layers.flatMap(({ file }, index) => [
    ...['-drive', `if=none,id=layer${index},format=raw,readonly=on,file=${quoted(file)}`],
    ...['-device', `virtio-blk-pci,drive=layer${index},serial=layer${index}`],
  ]);
};

/** The second network interface, of a board on a segment; the switch listens before the emulator starts. */
const segmentDevice = (bus: Bus, port: SegmentPort | undefined): readonly string[] => {
  if (port === undefined) return [];
  const stream = `stream,id=segment,server=off,addr.type=unix,addr.path=${quoted(port.socket)},reconnect-ms=200`;
  return ['-netdev', stream, '-device', `${segmentCards[bus]},netdev=segment,mac=${port.mac}`];
};

/** The emulator's arguments for an image on a machine; relative paths are in the folder that it is started in. */
export const emulatorArguments = (
  definition: MachineDefinition,
  image: BootImage,
  options: { readonly firmware: readonly string[]; readonly name: string; readonly port?: SegmentPort | undefined },
): readonly string[] => {
  const { board, lab, prefix } = userNetwork;
  const own = image.commandLine === undefined ? '' : `${image.commandLine} `;
  const append = `${own}${definition.append} lab.address=${board}/${prefix} lab.gateway=${lab}`;
  return [
    ...options.firmware.flatMap((folder) => ['-L', folder]),
    ...['-name', options.name],
    ...['-M', definition.machine, ...definition.processor, '-m', definition.memory],
    ...['-accel', definition.accelerator, '-nodefaults', '-display', 'none', '-no-reboot'],
    ...['-kernel', image.kernel, '-append', append],
    ...(image.initramfs === undefined ? [] : ['-initrd', image.initramfs]),
    ...(image.deviceTree === undefined ? [] : ['-dtb', image.deviceTree]),
    ...disks(definition.bus, image),
    ...['-netdev', 'user,id=uplink'],
    ...['-chardev', `socket,id=agent,server=on,wait=off,path=${runFiles.agent}`],
    ...ports[definition.bus],
    ...segmentDevice(definition.bus, options.port),
    ...['-qmp', `unix:${runFiles.monitor},server=on,wait=off`],
  ];
};
