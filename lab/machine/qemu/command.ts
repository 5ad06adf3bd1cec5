import type { BootImage } from '../../image/image.ts';

/** A machine definition out of the folder `qemu/`. */
export type MachineDefinition = {
  readonly machine: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly memory: string;
  readonly accelerator: string;
  readonly console: string;
  readonly append: string;
};

/** Addresses of user-mode networking: the guest, and this computer as the guest sees it (QEMU: network emulation). */
export const userNetwork = { board: '10.0.2.15', lab: '10.0.2.2', prefix: 24 } as const;

/** Names of the sockets and files that an emulator makes in its folder. */
export const runFiles = {
  monitor: 'monitor.sock',
  agent: 'agent.sock',
  shell: 'shell.sock',
  console: 'console.log',
} as const;

/** A value within a comma-separated option: commas are doubled. */
const quoted = (value: string): string => value.replaceAll(',', ',,');

/** The emulator's arguments for an image on a machine; relative paths are in the folder that it is started in. */
export const emulatorArguments = (
  definition: MachineDefinition,
  image: BootImage,
  options: { readonly firmware: string; readonly name: string },
): readonly string[] => {
  const { board, lab, prefix } = userNetwork;
  const append = `console=${definition.console} ${definition.append} lab.address=${board}/${prefix} lab.gateway=${lab}`;
  return [
    ...['-L', options.firmware, '-name', options.name],
    ...['-M', definition.machine, '-cpu', definition.cpu, '-smp', String(definition.cpus), '-m', definition.memory],
    ...['-accel', definition.accelerator, '-nodefaults', '-display', 'none', '-no-reboot'],
    ...['-kernel', image.kernel, '-initrd', image.initramfs, '-append', append],
    ...image.layers.flatMap(({ file }, index) => [
      ...['-drive', `if=none,id=layer${index},format=raw,readonly=on,file=${quoted(file)}`],
      ...['-device', `virtio-blk-pci,drive=layer${index},serial=layer${index}`],
    ]),
    ...['-netdev', 'user,id=uplink', '-device', 'virtio-net-pci,netdev=uplink,romfile='],
    ...['-device', 'virtio-rng-pci', '-device', 'virtio-serial-pci'],
    ...['-chardev', `socket,id=agent,server=on,wait=off,path=${runFiles.agent}`],
    ...['-device', 'virtserialport,chardev=agent,name=org.qemu.guest_agent.0'],
    ...['-chardev', `socket,id=shell,server=on,wait=off,path=${runFiles.shell}`],
    ...['-device', 'virtconsole,chardev=shell'],
    ...['-chardev', `file,id=console,path=${runFiles.console}`, '-serial', 'chardev:console'],
    ...['-qmp', `unix:${runFiles.monitor},server=on,wait=off`],
  ];
};
